#ifndef CSRMAILD_NAME_PATTERN_H
#define CSRMAILD_NAME_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Certificates by their names: a pattern of fnmatch(3), without regard to
 * case, for one whole value ("*.example.test") or for one with its kind in
 * front ("DNS:*", "CN=www"). names as names_describe writes them:
 * "CN=a, DNS:a.example".
 */
bool	name_pattern_matches(const char *pattern, const char *names);
/* The longest part of the pattern that stands for itself, for the store to
 * look for; "" when there is none, or it is too long. */
void	name_pattern_literal(const char *pattern, char *out, size_t size);

#endif
