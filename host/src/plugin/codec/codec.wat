;; A codec as text, for the tests of `codec`, which put the interface and its
;; function in the places of INTERFACE and FUNCTION, and what the function does
;; before it returns in the marked place. It has the local `results`, how many it
;; returns: each payload as it came, unless it is told otherwise.
(component
  (import "millrace:plugin/types@0.1.0" (instance $types
    (type $field' (enum "key" "value"))
    (export "field" (type $field (eq $field')))
  ))
  (alias export $types "field" (type $field))

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

  (core module $plugin
    (import "memory" "memory" (memory 0))
    (import "memory" "free" (global $free (mut i32)))
    ;; result<_, string> at 0: ok.
    (func (export "init") (param i32 i32) (result i32) (i32.const 0))
    ;; list<result<list<u8>, string>> at 16, its items (12 bytes each) from 1024 on.
    (func $convert (export "convert")
      (param $topic i32) (param $topic-length i32) (param $field i32)
      (param $payloads i32) (param $count i32) (result i32)
      (local $results i32) (local $i i32) (local $to i32) (local $from i32)
      (global.set $free (i32.const 65536))
      (local.set $results (local.get $count))
      (local.set $to (i32.const 1024))
      (local.set $from (local.get $payloads))
      (block $done (loop $next
        (br_if $done (i32.eq (local.get $i) (local.get $count)))
        (i32.store (local.get $to) (i32.const 0))
        (i64.store offset=4 align=4 (local.get $to)
          (i64.load align=4 (local.get $from)))
        (local.set $to (i32.add (local.get $to) (i32.const 12)))
        (local.set $from (i32.add (local.get $from) (i32.const 8)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
      (;body;)
      (i32.store (i32.const 16) (i32.const 1024))
      (i32.store (i32.const 20) (local.get $results))
      (i32.const 16))
  )
  (core instance $plugin (instantiate $plugin (with "memory" (instance $memory))))
  (func $init (param "config" string) (result (result (error string)))
    (canon lift (core func $plugin "init")
      (memory $memory "memory") (realloc (func $memory "realloc"))))
  (func $convert (param "topic" string) (param "field" $field)
    (param "payloads" (list (list u8))) (result (list (result (list u8) (error string))))
    (canon lift (core func $plugin "convert")
      (memory $memory "memory") (realloc (func $memory "realloc"))))
  (instance $codec (export "init" (func $init)) (export "FUNCTION" (func $convert)))
  (export "millrace:plugin/INTERFACE@0.1.0" (instance $codec))
)
