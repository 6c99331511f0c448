"""Payments: charges, refunds and receipts for the shop."""
import logging
import subprocess

from flask import Flask, abort, jsonify, redirect, render_template_string, request, send_file
from lxml import etree

import gateway
import ledger
import settings

app = Flask(__name__)
app.config["SECRET_KEY"] = settings.SESSION_KEY
log = logging.getLogger("payments")

RECEIPT_PAGE = """<h1>Receipt {number}</h1>
<p>Thank you, {name}.</p>
<p>Paid: {cents} cents</p>
"""


@app.route("/healthz")
def healthz():
    return "ok"


@app.route("/charges", methods=["POST"])
def create_charge():
    body = request.get_json(force=True)
    log.info("charge %s with card %s", body["customer"], body["card"])
    token = gateway.card_token(body["card"])
    answer = gateway.authorise(token, int(body["cents"]), body.get("currency", "EUR"))
    number = ledger.add_charge(body["customer"], token, int(body["cents"]), answer["status"])
    return jsonify(number=number, status=answer["status"]), 201


@app.route("/charges")
def list_charges():
    rows = ledger.find_by_customer(request.args.get("customer", ""))
    return jsonify(charges=[dict(row) for row in rows])


@app.route("/charges/search")
def search_charges():
    order = request.args.get("order", "created")
    rows = ledger.search(request.args.get("status", "paid"), order)
    return jsonify(charges=[dict(row) for row in rows])


@app.route("/receipts/<number>")
def receipt(number):
    charge = ledger.get(number)
    if charge is None:
        abort(404)
    name = request.args.get("name", charge["customer"])
    return render_template_string(RECEIPT_PAGE.format(number=number, name=name, cents=charge["cents"]))


@app.route("/receipts/<number>/pdf")
def receipt_pdf(number):
    paper = request.args.get("paper", "A5")
    target = "/tmp/receipt-%s.pdf" % number
    url = "http://localhost:8082/receipts/%s" % number
    subprocess.check_call("wkhtmltopdf -s %s %s %s" % (paper, url, target), shell=True)
    return send_file(target)


@app.route("/refunds", methods=["POST"])
def refund():
    claims = gateway.read_staff_token(request.headers.get("X-Staff-Token", ""))
    body = request.get_json(force=True)
    ledger.mark_refunded(body["number"], claims.get("sub", "unknown"))
    return redirect(request.args.get("next", "/charges"))


@app.route("/bank-statements", methods=["POST"])
def bank_statement():
    parser = etree.XMLParser(resolve_entities=True, no_network=False)
    statement = etree.fromstring(request.get_data(), parser)
    booked = 0
    for entry in statement.iter("entry"):
        booked += ledger.book(entry.get("reference"), entry.findtext("note"))
    return jsonify(booked=booked)


if __name__ == "__main__":
    ledger.create_tables()
    app.run(host="0.0.0.0", port=8082, debug=True)
