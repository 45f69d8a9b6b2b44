# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A guest in one boot sector: it does what libvirt needs of an operating system at host
# shutdown, and nothing else. It answers the ACPI power button, and it leaves a trace that
# nobody else writes: 'U' once it is up, 'A' for each time it is asked to stop, 'D' when it obeys
# and goes down. 'U' without a later 'D' means that the guest was killed, whatever any log says.
#
# The trace goes to QEMU's debug port (0xe9), so that QEMU itself writes the file. A serial port
# would go through virtlogd, which a host shutdown may stop before the guest.
#
# Hardware: machine "pc" (i440fx). SeaBIOS sets PIIX4 power management to I/O base 0x600:
# PM1 status 0x600, PM1 enable 0x602, PM1 control 0x604 (ACPI 6.5, 4.8.3).

        .code16
        .globl  _start
        .equ    PM1_STATUS, 0x600
        .equ    PM1_ENABLE, 0x602
        .equ    PM1_CONTROL, 0x604
        .equ    POWER_BUTTON, 0x100
        .equ    SOFT_OFF, 0x2000        # sleep enable, sleep type 0: S5 on PIIX4
        .equ    TRACE, 0xe9
        .equ    TICKS, 0x46c            # the BIOS counts the 18.2 Hz timer here

_start: ljmp    $0, $main
main:   xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %ss
        movw    $0x7c00, %sp
        sti

        movw    late, %bx               # still booting: a button press now is lost
        call    wait_ticks
        movw    $PM1_STATUS, %dx
        movw    $POWER_BUTTON, %ax      # writing a one clears it
        outw    %ax, %dx
        movw    $PM1_ENABLE, %dx
        outw    %ax, %dx
        movb    $'U', %al
        outb    %al, $TRACE

idle:   hlt
        movw    $PM1_STATUS, %dx
        inw     %dx, %ax
        testw   $POWER_BUTTON, %ax
        jz      idle
        movw    $POWER_BUTTON, %ax
        outw    %ax, %dx                # cleared, so that the next press is seen again
        movb    $'A', %al
        outb    %al, $TRACE
        cmpw    $0, deaf
        jne     idle

        movw    delay, %bx
        call    wait_ticks
        movb    $'D', %al
        outb    %al, $TRACE
        movw    $PM1_CONTROL, %dx
        movw    $SOFT_OFF, %ax
        outw    %ax, %dx
stop:   hlt
        jmp     stop

# Waits until %bx timer ticks have passed.
wait_ticks:
        movw    TICKS, %cx
1:      movw    TICKS, %ax
        subw    %cx, %ax
        cmpw    %bx, %ax
        jae     2f
        hlt
        jmp     1b
2:      ret

# What guest.py patches, at fixed places just below the boot signature.
        .org    504
late:   .word   0
delay:  .word   0
deaf:   .word   0
        .org    510
        .word   0xaa55
