package e2e

import "testing"

// TestFaultAOFCutAgain restarts a Redis whose AOF still begins a transaction
// that was cut.
func TestFaultAOFCutAgain(t *testing.T) { cutAOF(t, 8, false) }
