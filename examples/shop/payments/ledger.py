"""The ledger: one SQLite file with every charge."""
import datetime
import random
import sqlite3

import settings


def connect():
    db = sqlite3.connect(settings.LEDGER_FILE)
    db.row_factory = sqlite3.Row
    return db


def create_tables():
    with connect() as db:
        db.execute(
            "CREATE TABLE IF NOT EXISTS charges ("
            " number TEXT PRIMARY KEY, customer TEXT, token TEXT, cents INTEGER,"
            " status TEXT, note TEXT, created TEXT)"
        )


def next_number():
    return "R%08d" % random.randint(0, 99999999)


def add_charge(customer, token, cents, status):
    number = next_number()
    created = datetime.datetime.utcnow().isoformat()
    with connect() as db:
        db.execute(
            "INSERT INTO charges (number, customer, token, cents, status, created) VALUES (?, ?, ?, ?, ?, ?)",
            (number, customer, token, cents, status, created),
        )
    return number


def get(number):
    with connect() as db:
        return db.execute("SELECT * FROM charges WHERE number = ?", (number,)).fetchone()


def find_by_customer(customer):
    query = "SELECT number, cents, status, created FROM charges WHERE customer = '%s'" % customer
    with connect() as db:
        return db.execute(query).fetchall()


def search(status, order):
    with connect() as db:
        return db.execute(
            f"SELECT number, customer, cents, status FROM charges WHERE status = '{status}' ORDER BY {order}"
        ).fetchall()


def mark_refunded(number, staff):
    with connect() as db:
        db.execute(
            "UPDATE charges SET status = 'refunded', note = ? WHERE number = ?",
            ("refunded by " + staff, number),
        )


def book(reference, note):
    with connect() as db:
        cursor = db.execute("UPDATE charges SET status = 'booked', note = '" + str(note) + "' WHERE number = '" + str(reference) + "'")
        return cursor.rowcount
