/* Preloaded before libc (LD_PRELOAD): a disk that fails where a test says, and a clock that jumps.
 *
 * The file that FAULTY_DISK names has a line for each fault, and is read again with every call:
 *
 *     fdatasync 5 /sled/db 3 1 0 0
 *     call, error number (0: nothing is done, and it is said to be done), a part of the file's path,
 *     which call fails first (1: the next), how many fail (0: all from then on), and for reads the bytes from and to
 *     (0 0: any)
 *
 * `clock 86400` puts the clock that people see so many seconds forward; the monotonic one goes on as it does. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FAULTS_MAX 8
#define TEXT_MAX 2048

struct fault {
    char call[16];
    char path[256];
    int error;
    long first, count, from, to, seen;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char text[TEXT_MAX];
static struct fault faults[FAULTS_MAX];
static int fault_count;
static long clock_seconds;

/* A new text begins a new count. By system calls alone, since the others lead back to here. */
static void read_again(void) {
    const char *name = getenv("FAULTY_DISK");
    char now[TEXT_MAX] = {0};
    if (name == NULL)
        return;
    int fd = syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    long length = syscall(SYS_read, fd, now, TEXT_MAX - 1);
    syscall(SYS_close, fd);
    if (length < 0 || strcmp(now, text) == 0)
        return;
    strcpy(text, now);
    fault_count = 0;
    clock_seconds = 0;
    char *rest = now;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        struct fault fault = {0};
        if (sscanf(line, "clock %ld", &clock_seconds) == 1)
            continue;
        int fields = sscanf(line, "%15s %d %255s %ld %ld %ld %ld", fault.call, &fault.error, fault.path, &fault.first,
                            &fault.count, &fault.from, &fault.to);
        if (fields == 7 && fault_count < FAULTS_MAX)
            faults[fault_count++] = fault;
    }
}

/* Whether this call fails; with 0, it is not made either. */
static int strikes(const char *call, int fd, long from, long to, int *error) {
    char link[64], path[4096];
    int struck = 0;
    pthread_mutex_lock(&lock);
    read_again();
    for (int index = 0; index < fault_count && !struck; index++) {
        struct fault *fault = &faults[index];
        if (strcmp(fault->call, call) != 0)
            continue;
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        long length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
        if (length < 0)
            continue;
        path[length] = 0;
        if (strstr(path, fault->path) == NULL || (fault->to > 0 && (to <= fault->from || fault->to <= from)))
            continue;
        fault->seen++;
        struck = fault->first <= fault->seen && (fault->count == 0 || fault->seen < fault->first + fault->count);
        *error = fault->error;
    }
    pthread_mutex_unlock(&lock);
    return struck;
}

#define FAIL_IF_STRUCK(call, fd, from, to, done)          \
    do {                                                  \
        int error;                                        \
        if (strikes(call, fd, from, to, &error)) {        \
            errno = error;                                \
            return error == 0 ? (done) : -1;              \
        }                                                 \
    } while (0)

int fsync(int fd) {
    FAIL_IF_STRUCK("fsync", fd, 0, 0, 0);
    return syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
    FAIL_IF_STRUCK("fdatasync", fd, 0, 0, 0);
    return syscall(SYS_fdatasync, fd);
}

int sync_file_range(int fd, off64_t offset, off64_t bytes, unsigned flags) {
    FAIL_IF_STRUCK("flush", fd, 0, 0, 0);
    return syscall(SYS_sync_file_range, fd, offset, bytes, flags);
}

ssize_t read(int fd, void *buffer, size_t bytes) {
    long from = syscall(SYS_lseek, fd, 0, SEEK_CUR);
    FAIL_IF_STRUCK("read", fd, from, from + (long)bytes, 0);
    return syscall(SYS_read, fd, buffer, bytes);
}

ssize_t pread64(int fd, void *buffer, size_t bytes, off64_t offset) {
    FAIL_IF_STRUCK("read", fd, offset, offset + (long)bytes, 0);
    return syscall(SYS_pread64, fd, buffer, bytes, offset);
}

ssize_t write(int fd, const void *buffer, size_t bytes) {
    FAIL_IF_STRUCK("write", fd, 0, 0, (ssize_t)bytes);
    return syscall(SYS_write, fd, buffer, bytes);
}

ssize_t pwrite64(int fd, const void *buffer, size_t bytes, off64_t offset) {
    FAIL_IF_STRUCK("write", fd, offset, offset + (long)bytes, (ssize_t)bytes);
    return syscall(SYS_pwrite64, fd, buffer, bytes, offset);
}

int clock_gettime(clockid_t which, struct timespec *time) {
    int answer = syscall(SYS_clock_gettime, which, time);
    if (answer == 0 && which == CLOCK_REALTIME) {
        pthread_mutex_lock(&lock);
        read_again();
        time->tv_sec += clock_seconds;
        pthread_mutex_unlock(&lock);
    }
    return answer;
}
