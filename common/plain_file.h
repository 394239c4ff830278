#ifndef COMMON_PLAIN_FILE_H
#define COMMON_PLAIN_FILE_H

struct err;

/*
 * Files that a person names. Opens for reading what is a regular file, also
 * behind a symbolic link, and nothing else: a FIFO or a device could keep who
 * reads it waiting, or never end. Does not look at owner or mode; what holds
 * secrets or rules has stricter readers (common/config.h,
 * csrmaild/passphrase.h).
 *
 * The descriptor (owned), or -1 with an ERR_REJECT that names the file.
 */
int	plain_file_open(const char *path, struct err *);

#endif
