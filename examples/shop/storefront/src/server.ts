import path from 'path';
import cookieParser from 'cookie-parser';
import express, { NextFunction, Request, Response } from 'express';
import { config } from './config';
import { basket } from './routes/basket';
import { pages } from './routes/pages';
import { staff } from './routes/staff';

const app = express();

app.set('view engine', 'ejs');
app.set('views', path.join(__dirname, '..', 'views'));
app.use(cookieParser());
app.use(express.json());
app.use(express.urlencoded({ extended: true }));

app.use((req: Request, res: Response, next: NextFunction) => {
  res.header('Access-Control-Allow-Origin', req.headers.origin || '*');
  res.header('Access-Control-Allow-Credentials', 'true');
  next();
});

app.use('/', pages);
app.use('/basket', basket);
app.use('/staff', staff);

app.use((err: Error, req: Request, res: Response, next: NextFunction) => {
  res.status(500).send('<pre>' + err.stack + '</pre>');
});

app.listen(config.port, () => {
  console.log(`storefront on port ${config.port}`);
});
