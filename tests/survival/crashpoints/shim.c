/* Writes down every change a process makes to files below CRASHPOINTS_ROOT, in order, with its bytes.
 *
 * gcc -shared -fPIC -O1 -o shim.so shim.c -ldl, then LD_PRELOAD. One record: kind (1 byte), length of the
 * path (u32), offset (u64), length of the data (u64), path, data. Kinds: W write, T truncate, S sync,
 * C create, R rename (data: new path), U unlink, D make folder. Nothing is written down by mmap.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;
static const char *root;
static size_t root_length;

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void) {
    root = getenv("CRASHPOINTS_ROOT");
    const char *path = getenv("CRASHPOINTS_LOG");
    if (!root || !path) { root = NULL; return; }
    root_length = strlen(root);
    log_fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    unsetenv("LD_PRELOAD");
}

static int is_ours(const char *path) {
    return root && !strncmp(path, root, root_length) && (path[root_length] == '/' || !path[root_length]);
}

static void put(const void *data, size_t size) {
    const char *at = data;
    while (size) {
        ssize_t done = syscall(SYS_write, log_fd, at, size);
        if (done <= 0) abort();
        at += done;
        size -= done;
    }
}

static void note(char kind, const char *path, uint64_t offset, const void *data, uint64_t size) {
    int saved = errno;
    uint32_t length = strlen(path);
    char head[21];
    head[0] = kind;
    memcpy(head + 1, &length, 4);
    memcpy(head + 5, &offset, 8);
    memcpy(head + 13, &size, 8);
    put(head, sizeof head);
    put(path, length);
    if (size) put(data, size);
    errno = saved;
}

static int path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, PATH_MAX - 1);
    if (size <= 0) return 0;
    path[size] = 0;
    if (strstr(path, " (deleted)")) return 0;
    return is_ours(path);
}

static int full_path(int folder, const char *name, char *path) {
    if (name[0] == '/') snprintf(path, PATH_MAX, "%s", name);
    else {
        char base[PATH_MAX];
        if (folder == AT_FDCWD) { if (!getcwd(base, sizeof base)) return 0; }
        else {
            char link[64];
            snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
            ssize_t size = readlink(link, base, sizeof base - 1);
            if (size <= 0) return 0;
            base[size] = 0;
        }
        if (snprintf(path, PATH_MAX, "%s/%s", base, name) >= PATH_MAX) return 0;
    }
    return is_ours(path);
}

static uint64_t place(int fd) {
    struct stat status;
    if (fcntl(fd, F_GETFL) & O_APPEND) { fstat(fd, &status); return status.st_size; }
    return lseek(fd, 0, SEEK_CUR);
}

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    char path[PATH_MAX];
    if (!root || fd == log_fd || !path_of(fd, path)) return real(fd, data, size);
    pthread_mutex_lock(&lock);
    uint64_t at = place(fd);
    ssize_t done = real(fd, data, size);
    if (done > 0) note('W', path, at, data, done);
    pthread_mutex_unlock(&lock);
    return done;
}

static ssize_t noted_pwrite(ssize_t done, int fd, const void *data, off_t at) {
    char path[PATH_MAX];
    if (done > 0 && root && path_of(fd, path)) note('W', path, at, data, done);
    return done;
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    REAL(pwrite);
    pthread_mutex_lock(&lock);
    ssize_t done = noted_pwrite(real(fd, data, size, at), fd, data, at);
    pthread_mutex_unlock(&lock);
    return done;
}
ssize_t pwrite64(int fd, const void *data, size_t size, off_t at) { return pwrite(fd, data, size, at); }
ssize_t writev(int fd, const struct iovec *parts, int count) {
    ssize_t total = 0;
    for (int i = 0; i < count; i++) {
        ssize_t done = write(fd, parts[i].iov_base, parts[i].iov_len);
        if (done < 0) return total ? total : done;
        total += done;
        if ((size_t)done < parts[i].iov_len) break;
    }
    return total;
}
int ftruncate(int fd, off_t size) {
    REAL(ftruncate);
    char path[PATH_MAX];
    pthread_mutex_lock(&lock);
    int result = real(fd, size);
    if (!result && root && path_of(fd, path)) note('T', path, size, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}
int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }
static int noted_sync(int result, int fd) {
    char path[PATH_MAX];
    pthread_mutex_lock(&lock);
    if (!result && root && path_of(fd, path)) note('S', path, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}
int fsync(int fd) { REAL(fsync); return noted_sync(real(fd), fd); }
int fdatasync(int fd) { REAL(fdatasync); return noted_sync(real(fd), fd); }

static int noted_open(int folder, const char *name, int flags, mode_t mode) {
    char path[PATH_MAX];
    struct stat status;
    int ours = root && name && (flags & (O_CREAT | O_TRUNC)) && full_path(folder, name, path);
    pthread_mutex_lock(&lock);
    int existed = ours && !stat(path, &status);
    int fd = syscall(SYS_openat, folder, name, flags, mode);
    if (fd >= 0 && ours && !existed) note('C', path, 0, NULL, 0);
    if (fd >= 0 && ours && existed && (flags & O_TRUNC)) note('T', path, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return fd;
}
#define MODE_OF(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }
int open(const char *name, int flags, ...) { MODE_OF(flags) return noted_open(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE_OF(flags) return noted_open(AT_FDCWD, name, flags, mode); }
int openat(int folder, const char *name, int flags, ...) { MODE_OF(flags) return noted_open(folder, name, flags, mode); }
int openat64(int folder, const char *name, int flags, ...) { MODE_OF(flags) return noted_open(folder, name, flags, mode); }

int renameat(int from, const char *old, int to, const char *new) {
    REAL(renameat);
    char a[PATH_MAX], b[PATH_MAX];
    pthread_mutex_lock(&lock);
    int ours = root && full_path(from, old, a) && full_path(to, new, b);
    int result = real(from, old, to, new);
    if (!result && ours) note('R', a, 0, b, strlen(b));
    pthread_mutex_unlock(&lock);
    return result;
}
int rename(const char *old, const char *new) { return renameat(AT_FDCWD, old, AT_FDCWD, new); }
int unlinkat(int folder, const char *name, int flags) {
    REAL(unlinkat);
    char path[PATH_MAX];
    pthread_mutex_lock(&lock);
    int ours = root && full_path(folder, name, path);
    int result = real(folder, name, flags);
    if (!result && ours) note('U', path, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}
int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
int mkdir(const char *name, mode_t mode) {
    REAL(mkdir);
    char path[PATH_MAX];
    pthread_mutex_lock(&lock);
    int result = real(name, mode);
    if (!result && root && full_path(AT_FDCWD, name, path)) note('D', path, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}
