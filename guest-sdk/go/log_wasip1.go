package millrace

import (
	"log/slog"
	"unsafe"

	"millrace/internal/call"
)

//go:wasmimport millrace:plugin/log@0.1.0 log
//go:noescape
func hostLog(level uint32, text unsafe.Pointer, length uint32)

func init() {
	slog.SetDefault(hostLogger(func(level uint32, line string) {
		call.Do(func() {
			hostLog(level, unsafe.Pointer(unsafe.StringData(line)), uint32(len(line)))
		})
	}))
}
