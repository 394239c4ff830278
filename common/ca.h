#ifndef COMMON_CA_H
#define COMMON_CA_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Names of CAs: "example.com/users". Letters, digits, '.', '-', '_' and one
 * level of '/', 63 octets at most, beginning with a letter or a digit.
 */
bool	ca_name_is_valid(const char *);
/*
 * Generations. A CA that gets a new key keeps its name for people, who write
 * "example.com/users" in the configuration and on the command line: its
 * family. On record, in files and in frames each key has a name of its own,
 * since it has CRLs, a journal and OCSP responders of its own: the first is
 * called like the family, the next "example.com/users~2". A family's name has
 * no '~'; ca_name_is_valid is about families.
 */
#define CA_GENERATION_MAX	99
/* Without the generation; out holds CA_NAME_MAX + 1 (common/issue.h). */
void	ca_family(const char *name, char *out, size_t size);
/* 1 when there is none; 0 when what follows '~' is no number 2..99. */
unsigned int ca_generation(const char *name);
/* The name of a family's generation; n >= 1. */
void	ca_generation_name(const char *family, unsigned int n, char *out,
	    size_t size);
bool	ca_is_of_family(const char *name, const char *family);
/* Does a person who says that mean this CA? By a family's name all of it;
 * "users~1" is the first generation alone. */
bool	ca_is_meant(const char *said, const char *name);
/*
 * An address out of the configuration: "{ca}" stands for the CA's file name,
 * and infix, when it is not "", follows that with a dot in front: "2" for a
 * shard, "delta", "2.delta". An address without "{ca}" comes back as it is.
 * -1: it does not fit.
 */
int	ca_expand_url(const char *pattern, const char *ca, const char *infix,
	    char *out, size_t size);
/* What stands there for a shard (0: the only one) and a delta; the CRL's file
 * has it between the CA's name and ".crl". */
#define CA_INFIX_SIZE	16
void	ca_crl_infix(unsigned int shard, bool delta, char *out, size_t size);
bool	ca_url_has_place(const char *pattern);	/* has it "{ca}"? */

/* As a file name: '/' becomes '@' ("example.com@users" + suffix). size must
 * hold it; names are at most CA_NAME_MAX long (common/issue.h). */
void	ca_file_name(const char *ca, const char *suffix, char *out,
	    size_t size);

#endif
