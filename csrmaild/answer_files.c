#include "csrmaild/answer_files.h"

#include "csrmaild/wire.h"

#include "common/err.h"

#include <string.h>

static const char mark[] = "csrmail files 1\n";

void
answer_files_begin(struct buf *out)
{
	buf_append_str(out, mark);
}

void
answer_files_add(struct buf *out, const struct answer_file *file)
{
	put_str(out, file->ending);
	put_u64(out, (uint64_t)file->request);
	put_u8(out, file->numbered);
	put_bytes(out, file->octets);
}

bool
answer_files_are(struct bytes message)
{
	return message.len >= sizeof(mark) - 1 &&
	    memcmp(message.data, mark, sizeof(mark) - 1) == 0;
}

struct cursor
answer_files_open(struct bytes message)
{
	return CURSOR(bytes_slice(message, sizeof(mark) - 1,
	    message.len));
}

int
answer_files_next(struct cursor *c, struct answer_file *file,
    struct err *err)
{
	if (c->left.len == 0 && !c->failed)
		return 0;
	get_str(c, file->ending, sizeof(file->ending));
	file->request = (int64_t)get_u64(c);
	file->numbered = get_bool(c);
	file->octets = get_bytes(c, WIRE_MAX_MAIL);
	return !c->failed ? 1 :
	    err_set(err, ERR_FAULT, "the files of an answer are broken");
}
