/*
 * Preloaded under a program (LD_PRELOAD): notes what it writes to the files below a folder, and when it asks for that to be
 * on disk; and at a number of such an operation ends it, or lets operations fail. What a power cut would have left can then
 * be made from the notes (power-cut.ts).
 *
 *   FAULT_FOLDER   files whose names begin so, shared memory (-shm) apart
 *   FAULT_NOTES    where the notes go
 *   FAULT_CUT      number of the operation before which the process is killed; 0: none
 *   FAULT_FAIL     number of the operation from which on they fail; 0: none
 *   FAULT_COUNT    how many fail
 *   FAULT_ERRNO    with this error; writes and syncs
 *   FAULT_NOSYNC   1: syncs do nothing and are not noted, as with a disk that lies or a program that does not ask
 *
 * A note: operation (1 byte: W T S U), length of the name (4 bytes), name, offset or size (8), length of the data (4), data;
 * numbers as this machine has them.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *folder;
static int notes = -1;
static long cut, fail_at, fail_count, fail_errno, operations;
static int no_sync;

static long number(const char *name) {
  const char *value = getenv(name);
  return value == NULL ? 0 : atol(value);
}

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("FAULT_NOTES");
  folder = getenv("FAULT_FOLDER");
  if (path == NULL || folder == NULL) return;
  notes = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  cut = number("FAULT_CUT");
  fail_at = number("FAULT_FAIL");
  fail_count = number("FAULT_COUNT");
  fail_errno = number("FAULT_ERRNO");
  no_sync = number("FAULT_NOSYNC") != 0;
}

/* The name of a file that is watched, or 0. */
static int watched(int fd, char *name, size_t size) {
  char link[64];
  if (notes < 0 || fd == notes) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, name, size - 1);
  if (length <= 0) return 0;
  name[length] = 0;
  if (strncmp(name, folder, strlen(folder)) != 0) return 0;
  return length < 4 || strcmp(name + length - 4, "-shm") != 0;
}

static int watched_path(const char *path) {
  return notes >= 0 && strncmp(path, folder, strlen(folder)) == 0;
}

/* Counts an operation. Returns 1 if it is to fail; does not return if the power is cut before it. Under the lock. */
static int step(void) {
  operations++;
  if (cut != 0 && operations >= cut) {
    syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
    for (;;) pause();
  }
  return fail_at != 0 && operations >= fail_at && operations < fail_at + fail_count;
}

static void put(const void *bytes, size_t count) {
  const char *at = bytes;
  while (count > 0) {
    long done = syscall(SYS_write, notes, at, count);
    if (done <= 0) abort();
    at += done;
    count -= done;
  }
}

static void note(char kind, const char *name, long long offset, const void *data, unsigned length) {
  char head[4096 + 32];
  unsigned names = strlen(name), at = 0;
  head[at++] = kind;
  memcpy(head + at, &names, 4), at += 4;
  memcpy(head + at, name, names), at += names;
  memcpy(head + at, &offset, 8), at += 8;
  memcpy(head + at, &length, 4), at += 4;
  put(head, at);
  put(data, length);
}

static ssize_t write_at(int fd, const void *bytes, size_t count, long long offset, const char *name) {
  pthread_mutex_lock(&lock);
  ssize_t done;
  if (step()) {
    errno = fail_errno;
    done = -1;
  } else {
    done = syscall(SYS_pwrite64, fd, bytes, count, offset);
    if (done > 0) note('W', name, offset, bytes, done);
  }
  pthread_mutex_unlock(&lock);
  return done;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
  char name[4096];
  if (!watched(fd, name, sizeof name)) return syscall(SYS_pwrite64, fd, bytes, count, offset);
  return write_at(fd, bytes, count, offset, name);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
  return pwrite64(fd, bytes, count, offset);
}

ssize_t write(int fd, const void *bytes, size_t count) {
  char name[4096];
  struct stat about;
  if (!watched(fd, name, sizeof name) || fstat(fd, &about) != 0 || !S_ISREG(about.st_mode))
    return syscall(SYS_write, fd, bytes, count);
  long long offset = lseek(fd, 0, SEEK_CUR);
  ssize_t done = write_at(fd, bytes, count, offset, name);
  if (done > 0) lseek(fd, offset + done, SEEK_SET);
  return done;
}

int ftruncate64(int fd, off64_t size) {
  char name[4096];
  if (!watched(fd, name, sizeof name)) return syscall(SYS_ftruncate, fd, size);
  pthread_mutex_lock(&lock);
  step();
  int result = syscall(SYS_ftruncate, fd, size);
  if (result == 0) note('T', name, size, "", 0);
  pthread_mutex_unlock(&lock);
  return result;
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

static int sync_file(int fd, long call) {
  char name[4096];
  if (!watched(fd, name, sizeof name)) return syscall(call, fd);
  if (no_sync) return 0;
  pthread_mutex_lock(&lock);
  int result = 0;
  if (step()) {
    errno = fail_errno;
    result = -1;
  } else {
    note('S', name, 0, "", 0);
  }
  pthread_mutex_unlock(&lock);
  return result;
}

int fsync(int fd) { return sync_file(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_file(fd, SYS_fdatasync); }

int unlink(const char *path) {
  if (!watched_path(path)) return syscall(SYS_unlinkat, AT_FDCWD, path, 0);
  pthread_mutex_lock(&lock);
  step();
  int result = syscall(SYS_unlinkat, AT_FDCWD, path, 0);
  if (result == 0) note('U', path, 0, "", 0);
  pthread_mutex_unlock(&lock);
  return result;
}
