// Waits as a container's first process, and passes on the signals that it gets from outside of the container; or, with a
// path, copies that file to standard output.
.globl _start
_start:
    ldr x9, [sp]                // argc
    cmp x9, #2
    b.eq copy
    mov x0, #17                 // rt_sigaction(SIGCHLD, SIG_IGN): the kernel reaps orphans by itself
    adr x1, ignore
    mov x2, #0
    mov x3, #8
    mov x8, #134
    svc #0
    mov x0, #0                  // rt_sigprocmask(SIG_BLOCK, all): else process 1 gets none without a handler
    adr x1, all
    mov x2, #0
    mov x8, #135
    svc #0
    mov x19, #0                 // no time-out, until SIGTERM has come
    sub sp, sp, #128
wait:
    adr x0, all                 // rt_sigtimedwait(all, info, time-out)
    mov x1, sp
    mov x2, x19
    mov x3, #8
    mov x8, #137
    svc #0
    cmp w0, #0
    b.le left                   // the time-out, or an interruption
    ldr w9, [sp, #8]            // si_code: SI_USER, which nobody can pretend
    cbnz w9, left
    ldr w9, [sp, #16]           // si_pid: 0 for a sender outside of the container
    cbnz w9, left
    mov w20, w0
    mov w1, w0                  // kill(-1, signal)
    mov w0, #-1
    mov x8, #129
    svc #0
    cmp w20, #15                // SIGTERM
    b.ne left
    adr x19, pause
left:
    cbz x19, wait
    mov w0, #-1                 // kill(-1, 0): ESRCH if process 1 is alone
    mov x1, #0
    mov x8, #129
    svc #0
    cmn w0, #3
    b.ne wait
    mov x0, #143                // 128 + SIGTERM
    b exit
copy:
    ldr x1, [sp, #16]           // argv[1]
    mov x0, #-100               // openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    mov x2, #0x0800
    movk x2, #0x8, lsl #16
    mov x3, #0
    mov x8, #56
    svc #0
    tbnz w0, #31, fail
    mov w19, w0
    sub sp, sp, #0x10, lsl #12
    mov w0, w19                 // fstat(fd, buffer)
    mov x1, sp
    mov x8, #80
    svc #0
    tbnz w0, #31, fail
    ldr w9, [sp, #16]           // st_mode
    and w9, w9, #0xf000         // S_IFMT
    cmp w9, #8, lsl #12         // S_IFREG
    b.ne odd
next:
    mov w0, w19                 // read(fd, buffer, 65536)
    mov x1, sp
    mov x2, #0x10000
    mov x8, #63
    svc #0
    tbnz w0, #31, fail
    cbz w0, done
    mov x20, sp
    mov w21, w0
more:
    mov x0, #1                  // write(1, buffer, length)
    mov x1, x20
    mov w2, w21
    mov x8, #64
    svc #0
    tbnz w0, #31, fail
    add x20, x20, w0, uxtw
    subs w21, w21, w0
    b.ne more
    b next
odd:
    mov w0, #200                // not a regular file
    b exit
fail:
    neg w0, w0                  // the number of the error
    b exit
done:
    mov w0, #0
exit:
    mov x8, #93                 // exit(status)
    svc #0
    .balign 8
ignore:
    .quad 1, 0, 0, 0            // SIG_IGN
all:
    .quad -1
pause:
    .quad 0, 20000000           // 20 ms
