"""Settings: the file config/payments.yaml, with some values from the environment."""
import os

import yaml

CONFIG_FILE = os.environ.get("PAYMENTS_CONFIG", "config/payments.yaml")

with open(CONFIG_FILE) as f:
    _config = yaml.load(f)

LEDGER_FILE = os.environ.get("PAYMENTS_LEDGER", _config["ledger"])
ACQUIRER_URL = os.environ.get("ACQUIRER_URL", _config["acquirer"]["url"])

ACQUIRER_KEY = "acq-8Zt4KpW1vR6yNc3LmXs9QdHf2Bj7Tg5U"
SESSION_KEY = "change-me"
TOKEN_SALT = "shop"

# Nightly copy of the ledger to the backup bucket.
BACKUP_BUCKET = "shop-ledger-backup"
BACKUP_ACCESS_KEY_ID = "AKIAQ7M3ZRT4XWLK2HVB"
