// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A disk of known speed, in the place where libvirt runs a compressor: `lzop -c` copies standard
// input to standard output, and all copies on the host together are as fast as one disk. Reading
// back (`lzop -dc`) is not limited.
//
// The disk is one number that all share: the time at which it is done with what it has taken so
// far. Whoever has a chunk to write adds its share to that, and waits until then.

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { kChunk = 64 * 1024 };                    // what a pipe holds
static const char kSpeed[] = "/etc/slow-disk";  // bytes per second, in digits
static const char kShared[] = "/run/slow-disk";
static const int64_t kNanos = 1000000000;

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * kNanos + time.tv_nsec;
}

static void die(const char* what) {
    perror(what);
    exit(1);
}

static int64_t speed(void) {
    FILE* file = fopen(kSpeed, "r");
    long long value = 0;
    if (file == NULL || fscanf(file, "%lld", &value) != 1 || value <= 0)
        die(kSpeed);
    fclose(file);
    return value;
}

static _Atomic int64_t* disk(void) {
    int fd = open(kShared, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(int64_t)) != 0)
        die(kShared);
    void* memory = mmap(NULL, sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        die("mmap");
    return memory;
}

static void wait_for_disk(_Atomic int64_t* done, int64_t cost) {
    int64_t before = atomic_load(done), start, end;
    do {
        start = now();
        end = (before > start ? before : start) + cost;
    } while (!atomic_compare_exchange_weak(done, &before, end));
    struct timespec until = {end / kNanos, end % kNanos};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
}

static ssize_t read_chunk(char* buffer) {
    ssize_t size = 0;
    while (size < kChunk) {
        ssize_t got = read(STDIN_FILENO, buffer + size, (size_t)(kChunk - size));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            die("read");
        if (got == 0)
            break;
        size += got;
    }
    return size;
}

static void write_chunk(const char* buffer, ssize_t size) {
    while (size > 0) {
        ssize_t put = write(STDOUT_FILENO, buffer, (size_t)size);
        if (put < 0 && errno != EINTR)
            die("write");
        if (put > 0) {
            buffer += put;
            size -= put;
        }
    }
}

int main(int argc, char** argv) {
    static char buffer[kChunk];
    const int writing = argc < 2 || strchr(argv[1], 'd') == NULL;
    const int64_t rate = writing ? speed() : 0;
    _Atomic int64_t* done = writing ? disk() : NULL;
    ssize_t size;
    while ((size = read_chunk(buffer)) > 0) {
        if (writing)
            wait_for_disk(done, size * kNanos / rate);
        write_chunk(buffer, size);
    }
    return 0;
}
