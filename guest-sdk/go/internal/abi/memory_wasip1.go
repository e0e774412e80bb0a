package abi

import "unsafe"

func address(p unsafe.Pointer) uint32 { return uint32(uintptr(p)) }

func pointer(address uint32) unsafe.Pointer { return unsafe.Add(unsafe.Pointer(nil), address) }
