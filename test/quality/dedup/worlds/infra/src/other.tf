resource "google_storage_bucket" "files" {
  name     = "shop-files"
  location = "EU"
}

resource "google_compute_firewall" "ssh" {
  name    = "ssh"
  network = "default"
  allow {
    protocol = "tcp"
    ports    = ["22"]
  }
  source_ranges = ["0.0.0.0/0"]
}

resource "google_sql_database_instance" "orders" {
  name             = "orders"
  database_version = "POSTGRES_14"
  settings {
    tier = "db-f1-micro"
    ip_configuration {
      ipv4_enabled = true
      authorized_networks {
        value = "0.0.0.0/0"
        name  = "all"
      }
    }
  }
}

resource "azurerm_storage_account" "files" {
  name                      = "shopfiles"
  resource_group_name       = "shop"
  location                  = "westeurope"
  account_tier              = "Standard"
  account_replication_type  = "LRS"
  min_tls_version           = "TLS1_0"
  enable_https_traffic_only = false
}

resource "azurerm_key_vault" "main" {
  name                = "shopvault"
  resource_group_name = "shop"
  location            = "westeurope"
  tenant_id           = "00000000-0000-0000-0000-000000000001"
  sku_name            = "standard"
}
