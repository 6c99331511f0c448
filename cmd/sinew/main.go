// Command sinew is the whole product: server, command line and parser child.
package main

func main() {}
