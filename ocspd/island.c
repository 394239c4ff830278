#include "ocspd/island.h"

#include "common/err.h"
#include "common/index_seal.h"
#include "common/log.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define PIECE_OCTETS	((size_t)16 << 20)	/* a look: 10 to 20 ms */

struct island {
	const char		*path;		/* borrowed */
	int			 fd;		/* owned; being checked, or -1 */
	struct index_check	*check;		/* owned; with fd */
	struct stat		 looked_at;	/* the file that is, or was,
						 * checked last */
	struct stat		 served;	/* the one handed out last */
	bool			 has_served;
	time_t			 at;		/* of that */
};

int
island_new(const char *path, struct island **out, struct err *err)
{
	struct island *island = calloc(1, sizeof(*island));

	if (island == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	island->path = path;
	island->fd = -1;
	*out = island;
	return 0;
}

static void
stop_checking(struct island *island)
{
	index_check_free(island->check);
	island->check = NULL;
	if (island->fd >= 0)
		close(island->fd);
	island->fd = -1;
}

void
island_free(struct island *island)
{
	if (island == NULL)
		return;
	stop_checking(island);
	free(island);
}

static bool
is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

/* The same file, and nobody wrote to it. */
static bool
is_untouched(const struct stat *a, const struct stat *b)
{
	return is_same_file(a, b) && a->st_size == b->st_size &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

void
island_refuse(struct island *island, const struct err *err)
{
	log_error("index.refused", STR("file", island->path),
	    STR("why", err->text), STR("detail", err->detail),
	    STR("then", island->has_served ? "the last one stays" :
	    "there is none: answers are tryLater"));
	stop_checking(island);
}

/* A file that was not looked at before: said once, whatever comes of it. */
static void
begin(struct island *island, const struct stat *st)
{
	struct err err;

	stop_checking(island);
	island->looked_at = *st;
	island->fd = open(island->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_CLOEXEC);
	if (island->fd < 0 || fstat(island->fd, &island->looked_at) == -1) {
		err_errno(&err, ERR_RETRY, "opening the index");
		island_refuse(island, &err);
	} else if (index_check_new(island->fd, &island->check, &err) == -1)
		island_refuse(island, &err);
}

/* The store opens by name: it must be the file that was checked, still. */
static int
open_checked(struct island *island, struct store **out, time_t *at,
    struct err *err)
{
	OWNED_STRUCT(store) *store = NULL;
	struct stat st;

	if (store_open(island->path, STORE_INDEX, &store, err) == -1 ||
	    store_index_time(store, at, err) == -1)
		return -1;
	if (stat(island->path, &st) == -1 ||
	    !is_untouched(&st, &island->looked_at))
		return err_set(err, ERR_RETRY, "it was replaced meanwhile");
	if (*at < island->at)
		return err_set(err, ERR_FAULT, "it is older than the one that "
		    "is served: it was read from the store %lld s before it",
		    (long long)(island->at - *at));
	*out = TAKE(store);
	return 0;
}

static enum island_news
go_on(struct island *island, struct store **store, time_t *at)
{
	struct err err;
	int r = index_check_go_on(island->check, PIECE_OCTETS, &err);

	if (r == 1)
		return ISLAND_SAME;
	if (r == -1 || open_checked(island, store, at, &err) == -1) {
		island_refuse(island, &err);
		return ISLAND_SAME;
	}
	stop_checking(island);
	return ISLAND_NEW;
}

void
island_keep(struct island *island, time_t at)
{
	island->served = island->looked_at;
	island->has_served = true;
	island->at = at;
	log_info("index.taken", STR("file", island->path),
	    NUM("read_at", at));
}

enum island_news
island_look(struct island *island, struct store **store, time_t *at)
{
	struct stat st;
	struct err err;

	if (stat(island->path, &st) == -1) {
		if (island->looked_at.st_ino != 0) {
			err_errno(&err, ERR_RETRY, "looking for the index");
			island_refuse(island, &err);
			memset(&island->looked_at, 0, sizeof(st));
		}
		return ISLAND_SAME;
	}
	if (island->has_served && is_same_file(&st, &island->served) &&
	    !is_untouched(&st, &island->served)) {
		log_error("index.spoilt", STR("file", island->path), STR("why",
		    "it was written over in its place: write beside it, and "
		    "rename"));
		island->has_served = false;
		begin(island, &st);
		return ISLAND_SPOILT;
	}
	if (!is_untouched(&st, &island->looked_at))
		begin(island, &st);
	return island->check == NULL ? ISLAND_SAME :
	    go_on(island, store, at);
}
