#include "csrmaild/imap_private.h"

#include "common/clock.h"
#include "common/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LIST_WINDOW		500		/* sizes in one answer */
#define LOGOUT_MS		2000

/* --- one command ------------------------------------------------------------ */
void
imap_allow(struct imap *imap, size_t octets)
{
	stream_allow(imap->stream->low,
	    clock_monotonic_ms() + imap->timeout_ms, octets);
}

static void
keep_answer(struct imap *imap)
{
	const char *text = imap->session->imap_response;

	if (text != NULL)
		snprintf(imap->answer, sizeof(imap->answer), "%s", text);
}

/* The tagged NO or BAD, after which the session goes on; everything else
 * leaves it out of step. */
static bool
is_refusal(int result)
{
	switch (result) {
	case MAILIMAP_ERROR_BAD_STATE:
	case MAILIMAP_ERROR_STREAM:
	case MAILIMAP_ERROR_PARSE:
	case MAILIMAP_ERROR_CONNECTION_REFUSED:
	case MAILIMAP_ERROR_MEMORY:
	case MAILIMAP_ERROR_FATAL:
	case MAILIMAP_ERROR_PROTOCOL:
	case MAILIMAP_ERROR_DONT_ACCEPT_CONNECTION:
	case MAILIMAP_ERROR_SSL:
	case MAILIMAP_ERROR_NEEDS_MORE_DATA:
		return false;
	default:
		return true;
	}
}

int
imap_give_up(struct imap *imap, const char *doing, const char *why,
    struct err *err)
{
	imap->broken = true;
	if (imap->stream != NULL)
		stream_give_up(imap->stream->low, why);
	return err_set(err, ERR_RETRY, "%s: %s", doing, why);
}

/* RFC 9051, 7.1.5: whatever else went wrong, that is the reason. */
static bool
said_bye(struct imap *imap, const char *doing, struct err *err)
{
	char line[200];

	stream_last_line(imap->stream->low, line, sizeof(line));
	if (strncasecmp(line, "* BYE", strlen("* BYE")) != 0)
		return false;
	err_set(err, ERR_RETRY, "%s: the server ended the session: \"%s\"",
	    doing, line);
	return true;
}

int
imap_check(struct imap *imap, int result, int want, const char *doing,
    struct err *err)
{
	const char *text;

	if (stream_fault(imap->stream->low, &text) != STREAM_OK) {
		imap->broken = true;
		return said_bye(imap, doing, err) ? -1 :
		    err_set(err, ERR_RETRY, "%s: %s", doing, text);
	}
	keep_answer(imap);
	if (result == want)
		return 0;
	if (is_refusal(result))
		return err_set(err, ERR_RETRY, "%s: the server answered \"%s\"",
		    doing, imap->answer);
	if (said_bye(imap, doing, err)) {
		imap->broken = true;
		stream_give_up(imap->stream->low, "BYE");
		return -1;
	}
	return imap_give_up(imap, doing, "the server does not speak IMAP as it "
	    "should", err);
}

bool
imap_has(const struct imap *imap, const char *capability)
{
	return mailimap_has_extension(imap->session, capability) != 0;
}

void
imap_free(struct imap *imap)
{
	if (imap == NULL)
		return;
	if (imap->session != NULL && imap->session->imap_stream != NULL) {
		/* Frees the stream in every case; a stream with a fault
		 * answers at once. mailimap_free alone would do the same
		 * without our deadline. */
		stream_allow(imap->stream->low,
		    clock_monotonic_ms() + LOGOUT_MS, IMAP_ORDINARY_OCTETS);
		mailimap_logout(imap->session);
	} else if (imap->stream != NULL) {
		mailstream_close(imap->stream);
	}
	if (imap->session != NULL)
		mailimap_free(imap->session);
	if (imap->namespaces != NULL)
		mailimap_namespace_data_free(imap->namespaces);
	free(imap);
}

bool
imap_is_broken(const struct imap *imap)
{
	return imap->broken;
}

const char *
imap_answer(const struct imap *imap)
{
	return imap->answer;
}

/* --- sizes ----------------------------------------------------------------------- */
/* What one FETCH answer says of one message, as far as we asked. */
struct attributes {
	uint32_t	 uid, octets;
	bool		 has_octets, has_body;
	struct bytes	 body;
};

static struct attributes
read_attributes(struct mailimap_msg_att *answer)
{
	struct attributes found = { 0 };

	for (clistiter *i = clist_begin(answer->att_list); i != NULL;
	    i = clist_next(i)) {
		struct mailimap_msg_att_item *item = clist_content(i);
		struct mailimap_msg_att_static *att;

		if (item->att_type != MAILIMAP_MSG_ATT_ITEM_STATIC)
			continue;
		att = item->att_data.att_static;
		switch (att->att_type) {
		case MAILIMAP_MSG_ATT_UID:
			found.uid = att->att_data.att_uid;
			break;
		case MAILIMAP_MSG_ATT_RFC822_SIZE:
			found.octets = att->att_data.att_rfc822_size;
			found.has_octets = true;
			break;
		case MAILIMAP_MSG_ATT_BODY_SECTION:
			found.body.data = (const uint8_t *)
			    att->att_data.att_body_section->sec_body_part;
			found.body.len =
			    att->att_data.att_body_section->sec_length;
			found.has_body = found.body.data != NULL;
			break;
		default:	/* libetpan's numbers, not an enum of ours */
			break;
		}
	}
	return found;
}

/* Takes both, also when one is NULL. Free *out with mailimap_fetch_list_free.
 * A server that knows nothing of the set answers with an empty list. */
static int
fetch(struct imap *imap, struct mailimap_set *set, bool by_uid,
    struct mailimap_fetch_att *what, clist **out, struct err *err)
{
	struct mailimap_fetch_type *type =
	    mailimap_fetch_type_new_fetch_att_list_empty();
	struct mailimap_fetch_att *uid = mailimap_fetch_att_new_uid();
	clist *list = NULL;
	int result = MAILIMAP_ERROR_MEMORY;

	if (set != NULL && what != NULL && type != NULL && uid != NULL &&
	    mailimap_fetch_type_new_fetch_att_list_add(type, uid) ==
	    MAILIMAP_NO_ERROR &&
	    mailimap_fetch_type_new_fetch_att_list_add(type, what) ==
	    MAILIMAP_NO_ERROR)
		result = (by_uid ? mailimap_uid_fetch : mailimap_fetch)(
		    imap->session, set, type, &list);
	if (type != NULL)
		mailimap_fetch_type_free(type);
	if (set != NULL)
		mailimap_set_free(set);
	if (imap_check(imap, result, MAILIMAP_NO_ERROR, "FETCH", err) < 0) {
		if (result == MAILIMAP_NO_ERROR)
			mailimap_fetch_list_free(list);
		return -1;
	}
	*out = list;
	return 0;
}

static int
list_window(struct imap *imap, uint32_t first, uint32_t last,
    struct imap_size *sizes, size_t *n, struct err *err)
{
	clist *list;

	imap_allow(imap, IMAP_ORDINARY_OCTETS);
	if (fetch(imap, mailimap_set_new_interval(first, last), false,
	    mailimap_fetch_att_new_rfc822_size(), &list, err) < 0)
		return -1;
	for (clistiter *i = clist_begin(list); i != NULL; i = clist_next(i)) {
		struct attributes found = read_attributes(clist_content(i));

		/* Flags that changed come unasked, without these two. */
		if (found.uid != 0 && found.has_octets &&
		    *n < IMAP_MAX_LISTED)
			sizes[(*n)++] = (struct imap_size){ found.uid,
			    found.octets };
	}
	mailimap_fetch_list_free(list);
	return 0;
}

/* On a server where filed messages may have to stay, marked \Deleted
 * (imap_move), those are not there for us any more. */
static int
leave_out_deleted(struct imap *imap, struct imap_size *sizes, size_t *n,
    struct err *err)
{
	clist *deleted;
	size_t kept = 0;

	if (imap_search_deleted(imap, &deleted, err) < 0)
		return -1;
	for (size_t i = 0; i < *n; i++)
		if (!imap_search_has(deleted, sizes[i].uid))
			sizes[kept++] = sizes[i];
	*n = kept;
	mailimap_search_result_free(deleted);
	return 0;
}

int
imap_list_sizes(struct imap *imap, struct imap_size **out, size_t *n,
    struct err *err)
{
	OWNED_HEAP(struct imap_size) *sizes = NULL;
	uint32_t exists, all;
	size_t found = 0;

	all = imap->session->imap_selection_info->sel_exists;
	exists = all > IMAP_MAX_LISTED ? IMAP_MAX_LISTED : all;
	/* A server that answers more than it was asked is cut at the same
	 * ceiling as one that says there is much. */
	sizes = calloc(IMAP_MAX_LISTED, sizeof(*sizes));
	if (sizes == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	for (uint32_t at = 1; at <= exists; at += LIST_WINDOW) {
		uint32_t last = exists - at < LIST_WINDOW ? exists :
		    at + LIST_WINDOW - 1;

		if (list_window(imap, at, last, sizes, &found, err) < 0)
			return -1;
	}
	imap->listed = all;
	if (!imap->can_move && !imap->can_expunge &&
	    leave_out_deleted(imap, sizes, &found, err) < 0)
		return -1;
	*out = TAKE(sizes);
	*n = found;
	return 0;
}

/* --- octets ------------------------------------------------------------------------ */
void
imap_batch_free(struct imap_batch *batch)
{
	if (batch == NULL)
		return;
	if (batch->list != NULL)
		mailimap_fetch_list_free(batch->list);
	free(batch);
}

static bool
batch_has(const struct imap_batch *batch, uint32_t uid)
{
	for (size_t i = 0; i < batch->n; i++) {
		if (batch->messages[i].uid == uid)
			return true;
	}
	return false;
}

static bool
was_asked_for(const struct imap_size *asked, size_t n, uint32_t uid)
{
	for (size_t i = 0; i < n; i++) {
		if (asked[i].uid == uid)
			return true;
	}
	return false;
}

/* Takes section. */
static int
fetch_sections(struct imap *imap, const struct imap_size *asked, size_t n,
    struct mailimap_fetch_att *section, struct imap_batch **out,
    struct err *err)
{
	OWNED_STRUCT(imap_batch) *batch = calloc(1, sizeof(*batch));
	struct mailimap_set *set;

	if (batch == NULL) {
		if (section != NULL)
			mailimap_fetch_att_free(section);
		return err_set(err, ERR_RETRY, "out of memory");
	}
	set = mailimap_set_new_empty();
	for (size_t i = 0; i < n && set != NULL; i++)
		mailimap_set_add_single(set, asked[i].uid);
	if (fetch(imap, set, true, section, &batch->list, err) < 0)
		return -1;
	for (clistiter *i = clist_begin(batch->list); i != NULL;
	    i = clist_next(i)) {
		struct attributes found = read_attributes(clist_content(i));

		if (!found.has_body || batch->n == IMAP_MAX_BATCH ||
		    !was_asked_for(asked, n, found.uid) ||
		    batch_has(batch, found.uid))
			continue;
		batch->messages[batch->n++] = (struct imap_message){
		    found.uid, found.body };
	}
	*out = TAKE(batch);
	return 0;
}

int
imap_fetch(struct imap *imap, const struct imap_size *asked, size_t n,
    struct imap_batch **out, struct err *err)
{
	size_t octets = IMAP_ORDINARY_OCTETS;

	if (n > IMAP_MAX_BATCH)
		n = IMAP_MAX_BATCH;
	/* Twice: some servers count RFC822.SIZE with bare line ends. */
	for (size_t i = 0; i < n; i++)
		octets += 2 * (size_t)asked[i].octets;
	imap_allow(imap, octets);
	return fetch_sections(imap, asked, n,
	    mailimap_fetch_att_new_body_peek_section(
	    mailimap_section_new(NULL)), out, err);
}

int
imap_fetch_header(struct imap *imap, uint32_t uid, uint32_t max,
    struct imap_batch **out, struct err *err)
{
	struct imap_size asked = { .uid = uid };

	imap_allow(imap, IMAP_ORDINARY_OCTETS + (size_t)max);
	return fetch_sections(imap, &asked, 1,
	    mailimap_fetch_att_new_body_peek_section_partial(
	    mailimap_section_new_header(), 0, max), out, err);
}

/* --- waiting -------------------------------------------------------------------------- */
static int
wait_in(struct imap *imap, int64_t until_ms, const int *others, size_t n,
    struct err *err)
{
	const char *text;

	if (stream_wait(imap->stream, until_ms, others, n) !=
	    STREAM_EVENT_FAULT)
		return 0;
	imap->broken = true;
	stream_fault(imap->stream->low, &text);
	return err_set(err, ERR_RETRY, "waiting: %s", text);
}

int
imap_wait(struct imap *imap, int64_t until_ms, const int *others, size_t n,
    struct err *err)
{
	int64_t latest = clock_monotonic_ms() + imap->longest_wait_ms;

	if (until_ms > latest)
		until_ms = latest;
	/* What came while we were listing is not announced a second time. */
	if (imap->session->imap_selection_info->sel_exists > imap->listed)
		return 0;
	if (!imap->can_idle)
		return wait_in(imap, until_ms, others, n, err);
	imap_allow(imap, IMAP_ORDINARY_OCTETS);
	if (imap_check(imap, mailimap_idle(imap->session), MAILIMAP_NO_ERROR,
	    "IDLE", err) < 0 || wait_in(imap, until_ms, others, n, err) < 0)
		return -1;
	imap_allow(imap, IMAP_ORDINARY_OCTETS);
	return imap_check(imap, mailimap_idle_done(imap->session),
	    MAILIMAP_NO_ERROR, "DONE", err);
}
