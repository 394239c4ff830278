#include "csrmaild/state_lock.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/owned.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define STEP_MS		50
#define TELL_MS		1000

/* proc(5): "1: FLOCK ADVISORY WRITE 708 00:13:14 0 EOF". The device of some
 * file systems is not the one that fstat tells; the inode says enough. */
static long
find_holder(int fd)
{
	char line[256], kind[16];
	unsigned long long inode;
	struct stat st;
	long pid, found = 0;
	FILE *f = fopen("/proc/locks", "re");

	if (f == NULL || fstat(fd, &st) == -1)
		st.st_ino = 0;
	while (f != NULL && st.st_ino != 0 &&
	    fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "%*s %15s %*s %*s %ld %*x:%*x:%llu", kind,
		    &pid, &inode) == 3 && strcmp(kind, "FLOCK") == 0 &&
		    inode == st.st_ino)
			found = pid;
	if (f != NULL)
		fclose(f);
	return found;
}

static void
describe_holder(int fd, char out[STATE_LOCK_HOLDER_SIZE])
{
	char path[64], name[32] = "";
	long pid = find_holder(fd);
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/comm", pid);
	f = pid <= 0 ? NULL : fopen(path, "re");
	if (f == NULL || fgets(name, sizeof(name), f) == NULL)
		name[0] = '\0';
	if (f != NULL)
		fclose(f);
	name[strcspn(name, "\n")] = '\0';
	if (pid <= 0)
		snprintf(out, STATE_LOCK_HOLDER_SIZE, "another process");
	else
		snprintf(out, STATE_LOCK_HOLDER_SIZE, "%s%sprocess %ld", name,
		    name[0] == '\0' ? "" : ", ", pid);
}

void
state_lock_tell(const char *state_dir, const char *holder)
{
	fprintf(stderr, "csrmail: waiting for %s to leave %s\n", holder,
	    state_dir);
}

int
state_lock_take(const char *state_dir, int patience_ms,
    state_lock_waiting *waiting, char holder[STATE_LOCK_HOLDER_SIZE],
    struct err *err)
{
	int64_t begun_ms = clock_monotonic_ms();
	char path[PATH_MAX];
	OWNED_FD fd = -1;

	snprintf(path, sizeof(path), "%s/lock", state_dir);
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (fd < 0)
		return err_set(err, ERR_FAULT, "%s: %s", path,
		    strerror(errno));
	while (flock(fd, LOCK_EX | LOCK_NB) == -1) {
		int64_t waited_ms = clock_monotonic_ms() - begun_ms;

		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_set(err, ERR_FAULT, "%s: %s", path,
			    strerror(errno));
		describe_holder(fd, holder);
		if (waited_ms >= patience_ms)
			return err_set(err, ERR_RETRY, "%s is in use by %s",
			    state_dir, holder);
		if (waited_ms >= TELL_MS && waiting != NULL) {
			waiting(state_dir, holder);
			waiting = NULL;
		}
		poll(NULL, 0, STEP_MS);
	}
	return TAKE_FD(fd);
}
