#include "csrmaild/reply_private.h"

#include "csrmaild/answer_files.h"

#include "common/err.h"

#include <stdio.h>

/*
 * Answers to what lay in a drop folder and names no sender: the words of a mail
 * as a text, certificates as files (RFC 10003, section 4).
 */
bool
reply_is_files(const struct reply_head *head)
{
	return head->file != NULL && head->file[0] != '\0' &&
	    head->to[0] == '\0';
}

static void
put_file(const char *ending, int64_t request, bool numbered,
    const struct buf *octets, struct buf *out)
{
	struct answer_file file = { .request = request, .numbered = numbered,
		.octets = buf_bytes(octets) };

	snprintf(file.ending, sizeof(file.ending), "%s", ending);
	answer_files_add(out, &file);
	out->failed |= octets->failed;
}

/* Lines that end in LF: these are files on Unix. */
static void
drop_returns(const struct buf *text, struct buf *out)
{
	for (size_t i = 0; i < text->len; i++)
		if (text->data[i] != '\r')
			buf_append(out, &text->data[i], 1);
	out->failed |= text->failed;
}

static void
put_text(const struct buf *text, int64_t request, struct buf *out)
{
	OWNED_BUF(lines, text->max);

	drop_returns(text, &lines);
	put_file(".txt", request, false, &lines, out);
}

int
reply_finish_text(const struct buf *text, struct buf *out, struct err *err)
{
	OWNED_BUF(files, out->max);

	answer_files_begin(&files);
	put_text(text, 0, &files);
	return reply_finish(&files, out, err);
}

static int
put_certificate(const struct reply_item *item, bool several, struct buf *out,
    struct err *err)
{
	OWNED_BUF(pem, REPLY_MAX_PEM);
	OWNED_BUF(lines, REPLY_MAX_PEM);
	OWNED_BUF(p7c, (1 + REPLY_MAX_CHAIN) * REPLY_MAX_PEM);

	if (reply_put_pem(item->cert, &pem, err) == -1 ||
	    reply_put_chain(item, &p7c, err) == -1)
		return -1;
	drop_returns(&pem, &lines);
	put_file(".pem", item->request, several, &lines, out);
	put_file(".p7c", item->request, several, &p7c, out);
	return 0;
}

int
reply_compose_files(const struct reply_head *head,
    const struct reply_item *items, size_t n, size_t n_issued,
    const struct reply_wish *wishes, size_t n_wishes, struct buf *out,
    struct err *err)
{
	OWNED_BUF(text, REPLY_MAX_TEXT);
	OWNED_BUF(files, out->max);

	if (reply_put_items(head, items, n, n_issued, wishes, n_wishes, &text,
	    err) == -1)
		return -1;
	answer_files_begin(&files);
	for (size_t i = 0; i < n; i++)
		if (items[i].fate == REPLY_ISSUED && put_certificate(&items[i],
		    n_issued > 1, &files, err) == -1)
			return -1;
	put_text(&text, n == 1 ? items[0].request : 0, &files);
	return reply_finish(&files, out, err);
}
