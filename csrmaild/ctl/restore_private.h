#ifndef CSRMAILD_CTL_RESTORE_PRIVATE_H
#define CSRMAILD_CTL_RESTORE_PRIVATE_H

#include "csrmaild/ctl/backup_file.h"
#include "csrmaild/ctl/hold.h"
#include "csrmaild/restore.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

struct ctl;

/* What the files of `csrmail restore` share. Nobody else includes this. */
#define CAS_MAX		64

struct one_ca {
	struct restore_ca merge;
	struct journal	*journal;	/* the longest; NULL: none */
	bool		 journal_is_newest;	/* longer than the backup's */
};

/* What a shard had published, as the backup or a journal says. */
struct wanted {
	size_t		 ca;		/* of restoring.cas */
	uint16_t	 shard;
	struct restore_reach reach;
};

struct restoring {
	struct ctl	*ctl;
	const char	*state;
	char		 work[PATH_MAX];	/* unpacked here; "" */
	struct backup_facts facts;
	struct one_ca	 cas[CAS_MAX];
	size_t		 n_cas;
	struct crl_read	*crls;		/* owned */
	size_t		 n_crls;
	struct wanted	*wanted;	/* owned */
	size_t		 n_wanted;
	struct restore_counts counts;
	struct err	*err;
};

/* --- restore_find.c: what tells more than the backup --------------------- */
/* The longest journal into work/journal, and opened. */
int	restore_find_journal(struct restoring *, struct one_ca *);
int	restore_find_crls(struct restoring *);
/* What the backup's store or a journal says was published. */
int	restore_want(struct restoring *, size_t ca, const struct crl_terms *);
/* -1 while one is missing, or older than what was published. */
int	restore_demand_crls(struct restoring *);

/* --- restore_place.c: files ---------------------------------------------- */
void	restore_path(char out[PATH_MAX], const char *folder,
	    const char *name);
bool	restore_is_there(const char *path);
off_t	restore_size_of(const char *path);	/* -1: not there */
/* NAME.crl, NAME.2.crl, NAME.delta.crl and the same in PEM. */
bool	restore_is_crl(const char *name);
/* mode counts whatever the umask is. A file that is there is refused. */
int	restore_copy_file(struct restoring *, const char *from,
	    const char *to, mode_t);
int	restore_make_folder(struct restoring *, const char *path);
void	restore_remove_tree(const char *folder, int depth);
/* What a restore that was killed left in the state folder, whose lock is
 * held: nobody works there. */
void	restore_remove_leftovers(const struct restoring *);
/* Journals, keys and certificates that are missing; the store last. */
int	restore_put_into_place(struct restoring *, const struct hold *);

#endif
