#ifndef TESTS_SUPPORT_CA_FOLDER_H
#define TESTS_SUPPORT_CA_FOLDER_H

#include "common/names.h"
#include "common/store.h"
#include "csrmaild/ceremony.h"

#include <openssl/x509.h>

#include <stdbool.h>

/* A folder for ceremonies, with its store; keys are not encrypted. */
struct ca_folder {
	char		 path[64];
	struct store	*store;
	struct ceremony	 ceremony;	/* at NOON, as nobody but us */
	char		 warned[8][320];	/* by the ceremonies */
	int		 n_warned;
	struct names	 subjects[32];
	int		 n_subjects;
};
void	ca_folder_make(struct ca_folder *);
void	ca_folder_remove(struct ca_folder *);

/* "O=Example, CN=NAME", P-256, ten years, no path length, no passphrase. */
struct ceremony_ca ca_folder_wish(struct ca_folder *, const char *name);
/* Both must work; parent by its name. */
void	ca_folder_root(struct ca_folder *, const char *name);
void	ca_folder_child(struct ca_folder *, const char *name,
	    const char *parent);
struct ceremony_parent ca_folder_parent(const char *name);

/* A file below the folder, as the ceremonies name it: "published/a.crt". */
bool	ca_folder_has(const struct ca_folder *, const char *file);
X509	*ca_folder_cert(const struct ca_folder *, const char *file);
EVP_PKEY *ca_folder_key(const struct ca_folder *, const char *name);
/* How many audit records of that event. */
int	ca_folder_count(struct ca_folder *, const char *event);

/* A certificate for a DNS name of that CA, by its key and published/NAME.crt,
 * 30 days from the ceremony's now. Owned. */
X509	*ca_folder_leaf(const struct ca_folder *, const char *ca,
	    const char *dns);
/* X509_V_OK or why not, at that moment; the lists end with NULL. */
int	ca_folder_verify(X509 *leaf, X509 *const *trusted,
	    X509 *const *untrusted, time_t at);

/*
 * Let act(arg) run in a process that a crash point ends (common/crash.h).
 * With a store of its own, on the same file. False: it ran to its end.
 */
bool	ca_folder_crash(struct ca_folder *, const char *point,
	    int (*act)(const struct ceremony *, void *, struct err *),
	    void *arg);

#endif
