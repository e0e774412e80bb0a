;; A plugin as text, for the tests of `instance`, which put what `process` does
;; before it returns in the marked place. It has the local `verdicts`, how many
;; it returns: as many as there are messages, all `forward`, unless it is told
;; otherwise.
(component
  (import "millrace:plugin/types@0.1.0" (instance $types
    (type $header' (record (field "name" string) (field "value" (option (list u8)))))
    (export "header" (type $header (eq $header')))
    (type $timestamp' (variant
      (case "not-available") (case "create-time" s64) (case "log-append-time" s64)))
    (export "timestamp" (type $timestamp (eq $timestamp')))
    (type $message' (record
      (field "key" (option (list u8))) (field "value" (option (list u8)))
      (field "headers" (list $header)) (field "offset" s64) (field "timestamp" $timestamp)))
    (export "message" (type $message (eq $message')))
    (type $batch' (record
      (field "topic" string) (field "partition" s32) (field "messages" (list $message))))
    (export "batch" (type $batch (eq $batch')))
    (type $payload' (variant (case "source") (case "null") (case "bytes" (list u8))))
    (export "payload" (type $payload (eq $payload')))
    (type $output-headers' (variant
      (case "source") (case "append" (list $header)) (case "only" (list $header))))
    (export "output-headers" (type $output-headers (eq $output-headers')))
    (type $output' (record
      (field "topic" (option string)) (field "partition" (option s32))
      (field "timestamp" (option s64)) (field "key" $payload) (field "value" $payload)
      (field "headers" $output-headers)))
    (export "output" (type $output (eq $output')))
    (type $verdict' (variant
      (case "forward") (case "drop") (case "replace" $output) (case "expand" (list $output))
      (case "fail" string)))
    (export "verdict" (type $verdict (eq $verdict')))
  ))
  (alias export $types "batch" (type $batch))
  (alias export $types "verdict" (type $verdict))

  (import "millrace:plugin/log@0.1.0" (instance $log
    (type $level' (enum "trace" "debug" "info" "warn" "error"))
    (export "level" (type $level (eq $level')))
    (export "log" (func (param "level" $level) (param "message" string)))
  ))
  (import "wasi:io/poll@0.2.0" (instance $io
    (export "pollable" (type $pollable (sub resource)))
    (export "poll" (func (param "in" (list (borrow $pollable))) (result (list u32))))
  ))
  (alias export $io "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (export "pollable" (type $mine (eq $pollable)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $mine))))
  ))

  ;; Memory: what is lowered into it grows from 64 KiB on, the answers lie below.
  (core module $memory
    (memory (export "memory") 3)
    (global $free (export "free") (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
      (global.set $free (i32.add (local.get $at) (local.get 3)))
      (local.get $at))
  )
  (core instance $memory (instantiate $memory))
  (core func $log (canon lower (func $log "log")
    (memory $memory "memory") (realloc (func $memory "realloc"))))
  (core func $poll (canon lower (func $io "poll")
    (memory $memory "memory") (realloc (func $memory "realloc"))))
  (core func $subscribe (canon lower (func $clock "subscribe-duration")))
  (core func $drop (canon resource.drop $pollable))

  (core module $plugin
    (import "memory" "memory" (memory 0))
    (import "memory" "free" (global $free (mut i32)))
    (import "host" "log" (func $log (param i32 i32 i32)))
    (import "host" "poll" (func $poll (param i32 i32 i32)))
    (import "host" "subscribe" (func $subscribe (param i64) (result i32)))
    (import "host" "drop" (func $drop (param i32)))
    ;; result<_, string> at 0: ok.
    (func (export "init") (param i32 i32) (result i32) (i32.const 0))
    ;; list<verdict> at 16, its items (88 bytes each) from 1024 on.
    (func $process (export "process") (param i32 i32 i32 i32 i32) (result i32)
      (local $verdicts i32)
      (global.set $free (i32.const 65536))
      (local.set $verdicts (local.get 4))
      (;body;)
      (i32.store (i32.const 16) (i32.const 1024))
      (i32.store (i32.const 20) (local.get $verdicts))
      (i32.const 16))
    (func $_ZN6orders5price17h0123456789abcdefE unreachable)
  )
  (core instance $plugin (instantiate $plugin
    (with "memory" (instance $memory))
    (with "host" (instance
      (export "log" (func $log)) (export "poll" (func $poll))
      (export "subscribe" (func $subscribe)) (export "drop" (func $drop))))
  ))
  (func $init (param "config" string) (result (result (error string)))
    (canon lift (core func $plugin "init")
      (memory $memory "memory") (realloc (func $memory "realloc"))))
  (func $process (param "batch" $batch) (result (list $verdict))
    (canon lift (core func $plugin "process")
      (memory $memory "memory") (realloc (func $memory "realloc"))))
  (instance $transform (export "init" (func $init)) (export "process" (func $process)))
  (export "millrace:plugin/transform@0.1.0" (instance $transform))
)
