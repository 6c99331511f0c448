import fs from 'fs';
import path from 'path';
import axios from 'axios';
import { Router } from 'express';
import marked from 'marked';
import moment from 'moment';
import { config } from '../config';

interface Review {
  author: string;
  text: string;
  html: string;
  written: string;
}

const reviews: { [sku: string]: Review[] } = {};

export const pages = Router();

pages.get('/', async (req, res, next) => {
  try {
    const q = String(req.query.q || '');
    const { data } = await axios.get(config.catalogUrl + '/products', { params: { q } });
    res.render('home', { q, products: data });
  } catch (err) {
    next(err);
  }
});

pages.get('/product/:sku', async (req, res, next) => {
  try {
    const { data } = await axios.get(config.catalogUrl + '/products/' + req.params.sku);
    res.render('product', { product: data, reviews: reviews[req.params.sku] || [] });
  } catch (err) {
    next(err);
  }
});

pages.post('/product/:sku/reviews', (req, res) => {
  const sku = req.params.sku;
  reviews[sku] = reviews[sku] || [];
  reviews[sku].push({
    author: req.body.author,
    text: req.body.text,
    html: marked(req.body.text),
    written: moment().format('D MMM YYYY'),
  });
  res.redirect(req.body.back || '/product/' + sku);
});

pages.get('/help', (req, res) => {
  const page = String(req.query.page || 'delivery.html');
  fs.readFile(path.join(config.helpDir, page), 'utf8', (err, text) => {
    if (err) {
      res.status(404).send('<h1>No help page called ' + page + '</h1>');
      return;
    }
    res.send(text);
  });
});

// The product pages show pictures of partner shops through us, so that the
// browser sees one origin only.
pages.get('/picture', async (req, res, next) => {
  try {
    const answer = await axios.get(String(req.query.url), { responseType: 'stream' });
    answer.data.pipe(res);
  } catch (err) {
    next(err);
  }
});
