//go:build !wasip1

package abi

import "unsafe"

// Natively, for tests, an address is the number of a pointer that was asked for one.
var pointers = []unsafe.Pointer{nil}

func address(p unsafe.Pointer) uint32 {
	pointers = append(pointers, p)
	return uint32(len(pointers) - 1)
}

func pointer(address uint32) unsafe.Pointer { return pointers[address] }
