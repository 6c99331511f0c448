import { exec } from 'child_process';
import crypto from 'crypto';
import { Router } from 'express';
import { staffOnly } from '../session';

const exportKey = 'export-key-16byt';

export const staff = Router();

staff.use(staffOnly);

staff.get('/logs', (req, res) => {
  exec('grep -i ' + req.query.word + ' /var/log/storefront.log | tail -n 200', (err, stdout) => {
    res.type('text/plain').send(stdout);
  });
});

staff.post('/export', (req, res) => {
  const cipher = crypto.createCipheriv('des-ede-cbc', exportKey, Buffer.alloc(8));
  const sealed = cipher.update(JSON.stringify(req.body), 'utf8', 'hex') + cipher.final('hex');
  res.json({ sealed, digest: crypto.createHash('md5').update(sealed).digest('hex') });
});
