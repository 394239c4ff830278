#ifndef CSRMAILD_KEY_CHECK_H
#define CSRMAILD_KEY_CHECK_H

#include <jansson.h>

#include <stdbool.h>
#include <stdint.h>

struct candidate;
struct err;
struct registrar;

/*
 * What the registrar knows of a key and no parser can: that it is a CA's, is
 * blocked, stands in a list of weak keys, or shares a prime with another one
 * on record. Comes before every rule, for people and mails alike.
 *
 * Not here: the form and strength of a key (common/key.h), and the same key
 * under another identity, which is held (csrmaild/submission.c).
 */
struct key_check {
	char		 why[256];	/* for who asked; "": nothing wrong */
	bool		 shared;	/* it shares a prime, */
	int64_t		 other;		/* with this one on record; 0: it may
					 * be itself not on record yet */
};
/* 0 whatever the result, -1 when the store fails. */
int	key_check(struct registrar *, const struct candidate *,
	    struct key_check *out, struct err *);
/*
 * Put the key's modulus on record, and what it shares with another one: in
 * the audit trail, in the log and, as long as one of the two is certified, in
 * `csrmail status`. The other's owner is named to the CA's people, never to
 * who asked. object: "request:12". Inside the transaction.
 */
int	key_check_record(struct registrar *, const struct candidate *,
	    const struct key_check *, const char *who, const char *object,
	    struct err *);

/* Take in moduli that came on record; outside a transaction, each turn. Where
 * nobody does, a question costs a comparison with each of them. */
void	key_check_catch_up(struct registrar *);
void	key_check_close(struct registrar *);
/* Adds sentences to the array "trouble". */
void	key_check_describe_trouble(struct registrar *, json_t *trouble);

#endif
