#ifndef COMMON_CA_H
#define COMMON_CA_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Names of CAs: "example.com/users". Letters, digits, '.', '-', '_' and one
 * level of '/', 63 octets at most, beginning with a letter or a digit.
 */
bool	ca_name_is_valid(const char *);
/* As a file name: '/' becomes '@' ("example.com@users" + suffix). size must
 * hold it; names are at most CA_NAME_MAX long (common/issue.h). */
void	ca_file_name(const char *ca, const char *suffix, char *out,
	    size_t size);

#endif
