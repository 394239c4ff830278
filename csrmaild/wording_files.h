#ifndef CSRMAILD_WORDING_FILES_H
#define CSRMAILD_WORDING_FILES_H

#include <stddef.h>
#include <stdint.h>

/* The texts of conf/templates, embedded at build time. */
struct wording_file {
	const char	*path;		/* NULL ends */
	const uint8_t	*data;
	size_t		 len;
};
extern const struct wording_file wording_files[];

#endif
