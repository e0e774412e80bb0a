package abi

// The arguments of a call lie in blocks of Go's memory. The host asks for a piece for each
// list by cabi_realloc, which is not Go's: a call into Go costs more than the piece. It is
// the adapter's (host componentize puts it there), which hands out one block piece by
// piece, and asks Go for the next one only where that is used up.

import (
	"unsafe"

	"millrace/internal/call"
)

const (
	leastBlock = 4 << 10
	mostBlock  = 1 << 20 // A larger one only for a larger list.
)

var (
	// blocks are those of the call that begins.
	blocks [][]byte
	// next is the size of the next one: what the last call took, and some more.
	next uint32 = leastBlock
)

//go:wasmexport millrace_block
func block(least uint32) uint64 {
	size := max(least, next)
	b := make([]byte, size)
	blocks = append(blocks, b)
	next = min(max(next, 2*next), mostBlock)
	return uint64(address(unsafe.Pointer(unsafe.SliceData(b)))) | uint64(size)<<32
}

//go:wasmimport wasi_snapshot_preview1 millrace_use_block
func useBlock(address, length uint32)

//go:wasmimport wasi_snapshot_preview1 millrace_block_used
func blockUsed() uint32

//go:wasmimport wasi_snapshot_preview1 cabi_realloc
func realloc(old, oldSize, align, size uint32) uint32

// Begin is called first by each exported function, with what it got from the host in
// blocks that it returns: they are alive as long as that is, or parts of them are in use.
func Begin() [][]byte {
	begun := blocks
	blocks = nil
	var used uint32
	for i, b := range begun {
		if i < len(begun)-1 {
			used += uint32(len(b))
		} else {
			used += blockUsed() - address(unsafe.Pointer(unsafe.SliceData(b)))
		}
	}
	next = min(max(used+used/8, leastBlock), mostBlock)
	useBlock(0, 0)
	call.Begin()
	return begun
}

// never is never set. It keeps the import of cabi_realloc in the program, which host
// componentize exports: Go can't export what it imports.
var never bool

func init() {
	if never {
		realloc(0, 0, 0, 0)
	}
}
