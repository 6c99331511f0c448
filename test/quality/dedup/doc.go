// Package dedup measures how well findings of several tools are told to be one
// problem, against worlds that were labelled by hand. It holds tests, reports and
// labels, no code for the product.
package dedup
