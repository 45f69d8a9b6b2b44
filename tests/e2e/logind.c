// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Announces, in logind's place, that the host goes down (`logind 1 poweroff`) or does not (`logind
// 0 poweroff`), as logind does since systemd 255.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

static void check(int result, const char* what) {
    if (result < 0) {
        fprintf(stderr, "logind: cannot %s: %s\n", what, strerror(-result));
        exit(1);
    }
}

int main(int argc, char** argv) {
    sd_bus* bus = NULL;
    if (argc != 3)
        return 2;
    check(sd_bus_open_system(&bus), "connect");
    check(sd_bus_request_name(bus, "org.freedesktop.login1", 0), "take logind's name");
    check(sd_bus_emit_signal(bus, "/org/freedesktop/login1", "org.freedesktop.login1.Manager",
                             "PrepareForShutdownWithMetadata", "ba{sv}", atoi(argv[1]), 1, "type",
                             "s", argv[2]),
          "announce");
    sd_bus_flush_close_unref(bus);
    return 0;
}
