package parser

// realLog is described in testdata/README.md.
const realLog = "testdata/apache_combined.log.gz"
