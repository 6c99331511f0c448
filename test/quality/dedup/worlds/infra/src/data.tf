resource "aws_db_instance" "orders" {
  identifier              = "orders"
  engine                  = "postgres"
  instance_class          = "db.t3.micro"
  allocated_storage       = 20
  username                = "orders"
  password                = var.db_password
  publicly_accessible     = true
  storage_encrypted       = false
  backup_retention_period = 0
  skip_final_snapshot     = true
}

resource "aws_db_instance" "stock" {
  identifier              = "stock"
  engine                  = "mysql"
  instance_class          = "db.t3.micro"
  allocated_storage       = 20
  username                = "stock"
  password                = var.db_password
  publicly_accessible     = true
  storage_encrypted       = true
  backup_retention_period = 7
}

resource "aws_dynamodb_table" "carts" {
  name         = "carts"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "id"

  attribute {
    name = "id"
    type = "S"
  }
}

resource "aws_sqs_queue" "mail" {
  name = "mail"
}

resource "aws_sns_topic" "alerts" {
  name = "alerts"
}

resource "aws_kms_key" "main" {
  description = "main"
}

resource "aws_efs_file_system" "media" {
  creation_token = "media"
}

resource "aws_elasticache_replication_group" "sessions" {
  replication_group_id = "sessions"
  description          = "sessions"
  node_type            = "cache.t3.micro"
  num_cache_clusters   = 1
}

resource "aws_redshift_cluster" "reports" {
  cluster_identifier  = "reports"
  node_type           = "dc2.large"
  master_username     = "reports"
  master_password     = var.db_password
  publicly_accessible = true
  skip_final_snapshot = true
}

variable "db_password" {
  type = string
}
