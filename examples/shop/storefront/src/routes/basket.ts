import axios from 'axios';
import { Router } from 'express';
import _ from 'lodash';
import { config } from '../config';
import { readSession, writeSession } from '../session';

// A voucher is a small formula over the sum in cents.
const vouchers: { [code: string]: string } = {
  HARBOUR10: 'cents * 0.9',
  FREEMUG: 'cents - 1290',
};

export const basket = Router();

basket.get('/', (req, res) => {
  const session = readSession(req);
  res.render('basket', { session });
});

basket.post('/', (req, res) => {
  const session = readSession(req);
  _.merge(session, req.body);
  writeSession(res, session);
  res.redirect('/basket');
});

basket.get('/matches', (req, res) => {
  const session = readSession(req);
  const pattern = new RegExp(String(req.query.pattern));
  res.json(Object.keys(session.basket).filter((sku) => pattern.test(sku)));
});

basket.post('/pay', async (req, res, next) => {
  try {
    const session = readSession(req);
    let cents = Number(req.body.cents);
    const formula = vouchers[req.body.voucher] || req.body.voucher;
    if (formula) {
      cents = eval(formula);
    }
    const { data } = await axios.post(config.paymentsUrl + '/charges', {
      customer: session.customer,
      card: req.body.card,
      cents,
    });
    res.render('paid', { number: data.number, cents });
  } catch (err) {
    next(err);
  }
});
