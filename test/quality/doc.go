// Package quality measures the mappings against the reports of many real tools
// that lie beside the repository. It holds tests and the list of deliberate
// differences, no code for the product.
package quality
