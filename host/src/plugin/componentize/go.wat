;; What stands between Go's runtime (GOOS=wasip1) and the host: WASI 0.1 by WASI 0.2, and
;; where the host puts a call's arguments.
;;
;; A guest may not call the host while the host is in `cabi_realloc`, and Go's garbage
;; collector, which may start there, reads clocks and polls. So `cabi_realloc` is here, and
;; not in Go: it hands out pieces of one block of memory, and only for the next block does
;; it go to Go, with $closed set. While it is set, nothing here calls the host: the clocks
;; stand where they were last read.
;;
;; There are no files and no sockets. Memory below 12288 is nobody's in Go's programs (the
;; linker keeps it free for the arguments of GOOS=js); 4096 to 4160 is for results of the
;; host's functions, the rest for the environment.
(module
  (import "env" "memory" (memory 0))
  ;; The SDK's: at least so many bytes, as an address and a length in the upper half.
  (import "__main_module__" "millrace_block" (func $block (param i32) (result i64)))

  (import "wasi:clocks/wall-clock@0.2.0" "now" (func $wall_now (param i32)))
  (import "wasi:clocks/monotonic-clock@0.2.0" "now" (func $monotonic_now (result i64)))
  (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration"
    (func $subscribe_duration (param i64) (result i32)))
  (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $pollable_block (param i32)))
  (import "wasi:io/poll@0.2.0" "[resource-drop]pollable" (func $pollable_drop (param i32)))
  (import "wasi:random/random@0.2.0" "get-random-u64" (func $random_u64 (result i64)))
  (import "wasi:cli/environment@0.2.0" "get-environment" (func $get_environment (param i32)))
  (import "wasi:cli/stdout@0.2.0" "get-stdout" (func $get_stdout (result i32)))
  (import "wasi:cli/stderr@0.2.0" "get-stderr" (func $get_stderr (result i32)))
  (import "wasi:cli/exit@0.2.0" "exit" (func $exit (param i32)))
  (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush"
    (func $stream_write (param i32 i32 i32 i32)))

  ;; The host may not be called now.
  (global $closed (mut i32) (i32.const 0))

  ;; ---- the arguments of calls ----

  (global $free (mut i32) (i32.const 0))
  (global $end (mut i32) (i32.const 0))

  ;; What `cabi_realloc` hands out from now on. The SDK's, at the start of each call.
  (func (export "millrace_use_block") (param $address i32) (param $length i32)
    (global.set $free (local.get $address))
    (global.set $end (i32.add (local.get $address) (local.get $length))))

  ;; How much of the block is handed out ends here.
  (func (export "millrace_block_used") (result i32) (global.get $free))

  (func $take (param $align i32) (param $size i32) (result i32)
    (local $address i32)
    (local.set $address (i32.and
      (i32.add (global.get $free) (i32.sub (local.get $align) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get $align))))
    ;; In 64 bits: a size near 4 GiB must not come around.
    (if (i64.gt_u
          (i64.add (i64.extend_i32_u (local.get $address)) (i64.extend_i32_u (local.get $size)))
          (i64.extend_i32_u (global.get $end)))
      (then (return (i32.const 0))))
    (global.set $free (i32.add (local.get $address) (local.get $size)))
    (local.get $address))

  (func $allocate (export "cabi_realloc")
    (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $new i32) (local $block i64)
    (local.set $new (call $take (local.get $align) (local.get $size)))
    (if (i32.eqz (local.get $new)) (then
      (global.set $closed (i32.const 1))
      (local.set $block (call $block (i32.add (local.get $size) (local.get $align))))
      (global.set $closed (i32.const 0))
      (global.set $free (i32.wrap_i64 (local.get $block)))
      (global.set $end (i32.add (global.get $free)
        (i32.wrap_i64 (i64.shr_u (local.get $block) (i64.const 32)))))
      (local.set $new (call $take (local.get $align) (local.get $size)))
      (if (i32.eqz (local.get $new)) (then (unreachable)))))
    (if (local.get $old) (then
      (memory.copy (local.get $new) (local.get $old)
        (select (local.get $old_size) (local.get $size)
          (i32.lt_u (local.get $old_size) (local.get $size))))))
    (local.get $new))

  ;; ---- clocks ----

  (global $wall (mut i64) (i64.const 0))
  (global $monotonic (mut i64) (i64.const 1)) ;; Go wants no 0.
  ;; By how much sleeps have moved a clock that stands.
  (global $slept (mut i64) (i64.const 1))

  (func $read_monotonic (result i64)
    (if (i32.eqz (global.get $closed)) (then
      (global.set $monotonic (i64.add (call $monotonic_now) (global.get $slept)))))
    (global.get $monotonic))

  (func $read_wall (result i64)
    (if (i32.eqz (global.get $closed)) (then
      (call $wall_now (i32.const 4096))
      (global.set $wall (i64.add
        (i64.mul (i64.load (i32.const 4096)) (i64.const 1000000000))
        (i64.load32_u offset=8 (i32.const 4096))))))
    (global.get $wall))

  (func (export "clock_time_get")
    (param $clock i32) (param $precision i64) (param $time i32) (result i32)
    (if (local.get $clock)
      (then (i64.store (local.get $time) (call $read_monotonic)))
      (else (i64.store (local.get $time) (call $read_wall))))
    (i32.const 0))

  ;; Waits, by the host, and goes on with the clock where that one stands.
  (func $sleep (param $nanoseconds i64)
    (local $until i64) (local $pollable i32)
    (local.set $until (i64.add (call $read_monotonic) (local.get $nanoseconds)))
    (if (i32.eqz (global.get $closed)) (then
      (local.set $pollable (call $subscribe_duration (local.get $nanoseconds)))
      (call $pollable_block (local.get $pollable))
      (call $pollable_drop (local.get $pollable))
      (drop (call $read_monotonic))))
    (if (i64.lt_u (global.get $monotonic) (local.get $until)) (then
      (global.set $slept (i64.add (global.get $slept)
        (i64.sub (local.get $until) (global.get $monotonic))))
      (global.set $monotonic (local.get $until)))))

  ;; All subscriptions are ready, after the shortest time that one of them waits for: there
  ;; is nothing to wait for but time.
  (func (export "poll_oneoff")
    (param $in i32) (param $out i32) (param $count i32) (param $ready i32) (result i32)
    (local $at i32) (local $n i32) (local $wait i64) (local $timeout i64) (local $now i64)
    (if (i32.eqz (local.get $count)) (then (return (i32.const 28)))) ;; inval
    (local.set $wait (i64.const -1))
    (local.set $at (local.get $in))
    (local.set $n (local.get $count))
    (loop $next
      (if (i32.load8_u offset=8 (local.get $at))
        (then (local.set $timeout (i64.const 0))) ;; A file: ready.
        (else
          (local.set $timeout (i64.load offset=24 (local.get $at)))
          (if (i32.load16_u offset=40 (local.get $at)) (then ;; A point in time.
            (local.set $now (if (result i64) (i32.load offset=16 (local.get $at))
              (then (call $read_monotonic))
              (else (call $read_wall))))
            (local.set $timeout (select
              (i64.sub (local.get $timeout) (local.get $now)) (i64.const 0)
              (i64.gt_u (local.get $timeout) (local.get $now))))))))
      (if (i64.lt_u (local.get $timeout) (local.get $wait))
        (then (local.set $wait (local.get $timeout))))
      (memory.fill (local.get $out) (i32.const 0) (i32.const 32))
      (i64.store (local.get $out) (i64.load (local.get $at)))
      (i32.store8 offset=10 (local.get $out) (i32.load8_u offset=8 (local.get $at)))
      (local.set $at (i32.add (local.get $at) (i32.const 48)))
      (local.set $out (i32.add (local.get $out) (i32.const 32)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.store (local.get $ready) (local.get $count))
    (if (i64.ne (local.get $wait) (i64.const 0)) (then (call $sleep (local.get $wait))))
    (i32.const 0))

  (func (export "sched_yield") (result i32) (i32.const 0))

  ;; ---- random numbers ----

  (func (export "random_get") (param $to i32) (param $length i32) (result i32)
    (local $eight i64)
    (if (global.get $closed) (then (return (i32.const 52)))) ;; nosys
    (block $done
      (loop $words
        (br_if $done (i32.lt_u (local.get $length) (i32.const 8)))
        (i64.store (local.get $to) (call $random_u64))
        (local.set $to (i32.add (local.get $to) (i32.const 8)))
        (local.set $length (i32.sub (local.get $length) (i32.const 8)))
        (br $words)))
    (if (local.get $length) (then
      (local.set $eight (call $random_u64))
      (loop $bytes
        (i64.store8 (local.get $to) (local.get $eight))
        (local.set $eight (i64.shr_u (local.get $eight) (i64.const 8)))
        (local.set $to (i32.add (local.get $to) (i32.const 1)))
        (br_if $bytes (local.tee $length (i32.sub (local.get $length) (i32.const 1)))))))
    (i32.const 0))

  ;; ---- arguments and environment ----

  ;; One argument, "plugin": programs expect a name there.
  (func (export "args_sizes_get") (param $count i32) (param $size i32) (result i32)
    (i32.store (local.get $count) (i32.const 1))
    (i32.store (local.get $size) (i32.const 7))
    (i32.const 0))
  (func (export "args_get") (param $arguments i32) (param $buffer i32) (result i32)
    (i32.store (local.get $arguments) (local.get $buffer))
    (i32.store (local.get $buffer) (i32.const 0x67756c70)) ;; plug
    (i32.store16 offset=4 (local.get $buffer) (i32.const 0x6e69)) ;; in
    (i32.store8 offset=6 (local.get $buffer) (i32.const 0))
    (i32.const 0))

  ;; Where the host puts the environment, for as long as one of the functions below runs: in
  ;; the 8 KiB that nobody has or, where it is larger, behind all memory. Go takes those
  ;; pages for its own when it grows, and they are zero by then.
  (global $put (mut i32) (i32.const 0))
  (global $grown_from (mut i32) (i32.const 0))

  (func (export "cabi_import_realloc") (param i32 i32 i32 i32) (result i32)
    (call $environment_room (local.get 2) (local.get 3)))

  (func $environment_room (param $align i32) (param $size i32) (result i32)
    (local $address i32)
    (local.set $address (i32.and
      (i32.add (global.get $put) (i32.sub (local.get $align) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get $align))))
    (if (i32.and (i32.eqz (global.get $grown_from))
          (i32.gt_u (i32.add (local.get $address) (local.get $size)) (i32.const 12288)))
      (then
        (global.set $grown_from (i32.mul (memory.size) (i32.const 65536)))
        (local.set $address (global.get $grown_from))))
    (global.set $put (i32.add (local.get $address) (local.get $size)))
    (if (i32.and (i32.ne (global.get $grown_from) (i32.const 0))
          (i32.gt_u (global.get $put) (i32.mul (memory.size) (i32.const 65536))))
      (then
        (if (i32.eq (i32.const -1) (memory.grow (i32.div_u
              (i32.add (i32.const 65535) (i32.sub (global.get $put)
                (i32.mul (memory.size) (i32.const 65536))))
              (i32.const 65536))))
          (then (unreachable)))))
    (local.get $address))

  (func $fetch_environment
    (global.set $put (i32.const 4160))
    (global.set $grown_from (i32.const 0))
    (call $get_environment (i32.const 4096)))

  (func $forget_environment
    (memory.fill (i32.const 4096) (i32.const 0) (i32.const 8192))
    (if (global.get $grown_from) (then
      (memory.fill (global.get $grown_from) (i32.const 0)
        (i32.sub (global.get $put) (global.get $grown_from))))))

  (func (export "environ_sizes_get") (param $count i32) (param $size i32) (result i32)
    (local $at i32) (local $left i32) (local $sum i32)
    (call $fetch_environment)
    (local.set $at (i32.load (i32.const 4096)))
    (local.set $left (i32.load (i32.const 4100)))
    (i32.store (local.get $count) (i32.add (local.get $left) (i32.const 1)))
    (local.set $sum (i32.const 17)) ;; The last one, of `environ_get`.
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $left)))
        ;; "NAME=VALUE" and a zero.
        (local.set $sum (i32.add (local.get $sum) (i32.add (i32.const 2) (i32.add
          (i32.load offset=4 (local.get $at)) (i32.load offset=12 (local.get $at))))))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br $next)))
    (i32.store (local.get $size) (local.get $sum))
    (call $forget_environment)
    (i32.const 0))

  (func (export "environ_get") (param $variables i32) (param $buffer i32) (result i32)
    (local $at i32) (local $left i32) (local $length i32)
    (call $fetch_environment)
    (local.set $at (i32.load (i32.const 4096)))
    (local.set $left (i32.load (i32.const 4100)))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $left)))
        (i32.store (local.get $variables) (local.get $buffer))
        (local.set $length (i32.load offset=4 (local.get $at)))
        (memory.copy (local.get $buffer) (i32.load (local.get $at)) (local.get $length))
        (local.set $buffer (i32.add (local.get $buffer) (local.get $length)))
        (i32.store8 (local.get $buffer) (i32.const 61)) ;; =
        (local.set $buffer (i32.add (local.get $buffer) (i32.const 1)))
        (local.set $length (i32.load offset=12 (local.get $at)))
        (memory.copy (local.get $buffer) (i32.load offset=8 (local.get $at)) (local.get $length))
        (local.set $buffer (i32.add (local.get $buffer) (local.get $length)))
        (i32.store8 (local.get $buffer) (i32.const 0))
        (local.set $buffer (i32.add (local.get $buffer) (i32.const 1)))
        (local.set $variables (i32.add (local.get $variables) (i32.const 4)))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br $next)))
    (call $forget_environment)
    ;; GOTRACEBACK=none, unless it is given. What Go prints when it gives up gets into the
    ;; record's reason, where only the last lines have room: better the message than the
    ;; end of a stack.
    (i32.store (local.get $variables) (local.get $buffer))
    (i64.store (local.get $buffer) (i64.const 0x4245434152544f47)) ;; GOTRACEB
    (i64.store offset=8 (local.get $buffer) (i64.const 0x656e6f6e3d4b4341)) ;; ACK=none
    (i32.store8 offset=16 (local.get $buffer) (i32.const 0))
    (i32.const 0))

  ;; ---- what is printed ----

  (global $stdout (mut i32) (i32.const -1))
  (global $stderr (mut i32) (i32.const -1))

  (func $stream (param $fd i32) (result i32)
    (if (i32.eq (local.get $fd) (i32.const 1)) (then
      (if (i32.eq (global.get $stdout) (i32.const -1))
        (then (global.set $stdout (call $get_stdout))))
      (return (global.get $stdout))))
    (if (i32.eq (global.get $stderr) (i32.const -1))
      (then (global.set $stderr (call $get_stderr))))
    (global.get $stderr))

  ;; The host takes at most 4096 bytes at once. What it does not take is lost.
  (func $print (param $fd i32) (param $from i32) (param $length i32)
    (local $piece i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $length)))
        (local.set $piece (select (local.get $length) (i32.const 4096)
          (i32.lt_u (local.get $length) (i32.const 4096))))
        (call $stream_write (call $stream (local.get $fd))
          (local.get $from) (local.get $piece) (i32.const 4096))
        (local.set $from (i32.add (local.get $from) (local.get $piece)))
        (local.set $length (i32.sub (local.get $length) (local.get $piece)))
        (br $next))))

  (func (export "fd_write")
    (param $fd i32) (param $pieces i32) (param $count i32) (param $written i32) (result i32)
    (local $sum i32) (local $length i32)
    (if (i32.gt_u (i32.sub (local.get $fd) (i32.const 1)) (i32.const 1))
      (then (return (i32.const 8)))) ;; badf
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $count)))
        (local.set $length (i32.load offset=4 (local.get $pieces)))
        (if (i32.eqz (global.get $closed)) (then
          (call $print (local.get $fd) (i32.load (local.get $pieces)) (local.get $length))))
        (local.set $sum (i32.add (local.get $sum) (local.get $length)))
        (local.set $pieces (i32.add (local.get $pieces) (i32.const 8)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next)))
    (i32.store (local.get $written) (local.get $sum))
    (i32.const 0))

  ;; 2 is what Go's runtime ends with after a panic: a trap, with the functions that it was in.
  (func (export "proc_exit") (param $status i32)
    (if (i32.and (i32.ne (local.get $status) (i32.const 2)) (i32.eqz (global.get $closed)))
      (then (call $exit (i32.ne (local.get $status) (i32.const 0)))))
    (unreachable))

  ;; ---- files: the three standard ones alone ----

  ;; stdin has ended.
  (func (export "fd_read") (param $fd i32) (param i32 i32) (param $read i32) (result i32)
    (if (local.get $fd) (then (return (i32.const 8))))
    (i32.store (local.get $read) (i32.const 0))
    (i32.const 0))
  (func (export "fd_fdstat_get") (param $fd i32) (param $stat i32) (result i32)
    (if (i32.gt_u (local.get $fd) (i32.const 2)) (then (return (i32.const 8))))
    (memory.fill (local.get $stat) (i32.const 0) (i32.const 24))
    (i32.store8 (local.get $stat) (i32.const 2)) ;; A character device.
    (i64.store offset=8 (local.get $stat) ;; To read, or to write.
      (select (i64.const 64) (i64.const 2) (local.get $fd)))
    (i32.const 0))
  (func (export "fd_filestat_get") (param $fd i32) (param $stat i32) (result i32)
    (if (i32.gt_u (local.get $fd) (i32.const 2)) (then (return (i32.const 8))))
    (memory.fill (local.get $stat) (i32.const 0) (i32.const 64))
    (i32.store8 offset=16 (local.get $stat) (i32.const 2))
    (i32.const 0))
  (func (export "fd_fdstat_set_flags") (param $fd i32) (param i32) (result i32)
    (select (i32.const 8) (i32.const 0) (i32.gt_u (local.get $fd) (i32.const 2))))
  (func (export "fd_close") (param $fd i32) (result i32)
    (select (i32.const 8) (i32.const 0) (i32.gt_u (local.get $fd) (i32.const 2))))
  (func (export "fd_prestat_get") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_prestat_dir_name") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "fd_advise") (param i32 i64 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_allocate") (param i32 i64 i64) (result i32) (i32.const 8))
  (func (export "fd_datasync") (param i32) (result i32) (i32.const 8))
  (func (export "fd_fdstat_set_rights") (param i32 i64 i64) (result i32) (i32.const 8))
  (func (export "fd_filestat_set_size") (param i32 i64) (result i32) (i32.const 8))
  (func (export "fd_filestat_set_times") (param i32 i64 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_pread") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_pwrite") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_readdir") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_renumber") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_seek") (param $fd i32) (param i64 i32 i32) (result i32)
    (select (i32.const 8) (i32.const 70) (i32.gt_u (local.get $fd) (i32.const 2)))) ;; spipe
  (func (export "fd_tell") (param $fd i32) (param i32) (result i32)
    (select (i32.const 8) (i32.const 70) (i32.gt_u (local.get $fd) (i32.const 2))))
  (func (export "fd_sync") (param i32) (result i32) (i32.const 8))
  (func (export "path_create_directory") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_filestat_get") (param i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_filestat_set_times") (param i32 i32 i32 i32 i64 i64 i32) (result i32)
    (i32.const 8))
  (func (export "path_link") (param i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_open") (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)
    (i32.const 8))
  (func (export "path_readlink") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_remove_directory") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_rename") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_symlink") (param i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_unlink_file") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "sock_accept") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "sock_recv") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "sock_send") (param i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "sock_shutdown") (param i32 i32) (result i32) (i32.const 8))
  (func (export "clock_res_get") (param $clock i32) (param $resolution i32) (result i32)
    (i64.store (local.get $resolution) (i64.const 1000000))
    (i32.const 0))
  (func (export "proc_raise") (param i32) (result i32) (i32.const 52)))
