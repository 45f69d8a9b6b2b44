# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A guest in one boot sector: it does what libvirt needs of an operating system at host
# shutdown, and nothing else. It answers the ACPI power button, and it leaves a trace that
# nobody else writes: 'U' once it is up, 'A' for each time it is asked to stop, 'D' when it obeys
# and goes down. 'U' without a later 'D' means that the guest was killed, whatever any log says.
# A guest may first fill memory, so that a save has something to write, or read its disk until it is
# up, as a booting operating system does; and once it is up it may panic, write to its disk, or fall
# asleep: ways into the odd states that libvirt knows.
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
        .equ    PANIC, 0x505            # QEMU's pvpanic device; bit 0 = panicked
        .equ    ASLEEP, 0x2400          # sleep enable, sleep type 1: S3 on PIIX4
        .equ    CMOS, 0x70              # index; 0x71 is the data
        .equ    SLEPT, 0x60             # our byte there: it survives a reset
        .equ    DEAF, 1                 # bits of `flags`
        .equ    PANICS, 2
        .equ    WRITES, 4
        .equ    SLEEPS, 8
        .equ    READS, 16
        .equ    BUFFER, 0x1000          # segment of what is read: 64 KiB and up
        .equ    TRACE, 0xe9
        .equ    TICKS, 0x46c            # the BIOS counts the 18.2 Hz timer here

_start: ljmp    $0, $main
main:   xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movw    $0x7c00, %sp
        call    fill_memory
        sti

        movw    late, %bx               # still booting: a button press now is lost
        movw    $wait_ticks, %ax
        testb   $READS, flags
        jz      1f
        movw    $read_ticks, %ax
1:      call    *%ax
        movw    $PM1_STATUS, %dx
        movw    $POWER_BUTTON, %ax      # writing a one clears it
        outw    %ax, %dx
        movw    $PM1_ENABLE, %dx
        outw    %ax, %dx
        movb    $'U', %al
        outb    %al, $TRACE
        testb   $PANICS, flags
        jz      1f
        movw    $PANIC, %dx
        movb    $1, %al
        outb    %al, %dx
1:      testb   $WRITES, flags
        jz      1f
        movw    $0x0301, %ax            # BIOS: write one sector,
        movw    $63, %cx                # the last of the first track,
        movw    $0x80, %dx              # of the first disk, head 0
        movw    $0x7c00, %bx            # (%es is 0)
        int     $0x13
1:      testb   $SLEEPS, flags
        jz      idle
        movb    $SLEPT, %al             # once only: waking up boots it again
        outb    %al, $CMOS
        inb     $CMOS + 1, %al
        testb   %al, %al
        jnz     idle
        incb    %al
        outb    %al, $CMOS + 1
        movw    $PM1_CONTROL, %dx
        movw    $ASLEEP, %ax
        outw    %ax, %dx

idle:   hlt
        movw    $PM1_STATUS, %dx
        inw     %dx, %ax
        cmpw    $0xffff, %ax            # nothing there: a machine without ACPI
        je      idle
        testw   $POWER_BUTTON, %ax
        jz      idle
        movw    $POWER_BUTTON, %ax
        outw    %ax, %dx                # cleared, so that the next press is seen again
        movb    $'A', %al
        outb    %al, $TRACE
        testb   $DEAF, flags
        jnz     idle

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

# The same, and reads the first track of the disk (63 sectors) twice in each tick: 1.1 MiB a second.
read_ticks:
        movw    TICKS, %bp
1:      movw    $2, %si
2:      pushw   %bx
        movw    $BUFFER, %ax
        movw    %ax, %es
        xorw    %bx, %bx
        movw    $0x023f, %ax            # BIOS: read 63 sectors,
        movw    $1, %cx                 # from the first of the first track,
        movw    $0x80, %dx              # of the first disk, head 0
        int     $0x13
        popw    %bx
        decw    %si
        jnz     2b
        movw    %si, %es                # 0 again
        hlt
        movw    TICKS, %ax
        subw    %bp, %ax
        cmpw    %bx, %ax
        jb      1b
        ret

# Fills `fill` MiB from 1 MiB up: something other than zero, and different, in every 64 bytes, so
# that QEMU has to write each page. Reaches it with segments of 4 GiB in real mode ("unreal mode");
# interrupts are off meanwhile, because the BIOS's handlers would set the limits back.
fill_memory:
        cli
        movzwl  fill, %ecx
        shll    $14, %ecx               # MiB in units of 64 bytes
        jz      2f
        inb     $0x92, %al              # A20 on: every second MiB would be the one below it
        orb     $2, %al
        outb    %al, $0x92
        lgdt    gdt_pointer
        movl    %cr0, %eax
        incw    %ax                     # protection on; it is off in real mode
        movl    %eax, %cr0
        movw    $8, %bx
        movw    %bx, %es
        decw    %ax
        movl    %eax, %cr0
        xorw    %bx, %bx
        movw    %bx, %es
        movl    $0x100000, %edi
1:      imull   $1664525, %eax, %eax    # a linear congruential generator
        addl    $1013904223, %eax
        movl    %eax, %es:(%edi)
        addl    $64, %edi
        decl    %ecx
        jnz     1b
2:      ret

        .balign 4
gdt:    .quad   0
        .quad   0x00cf92000000ffff      # data, base 0, limit 4 GiB
gdt_pointer:
        .word   gdt_pointer - gdt - 1
        .long   gdt

# What the Python module patches, at fixed places just below the boot signature.
        .org    502
fill:   .word   0
late:   .word   0
delay:  .word   0
flags:  .word   0
        .org    510
        .word   0xaa55
