#include "csrmaild/imap_private.h"

#include "csrmaild/mutf7.h"

#include "common/err.h"

#include <string.h>
#include <strings.h>

/* --- names ------------------------------------------------------------------------- */
int
imap_ask_namespaces(struct imap *imap, struct err *err)
{
	if (!imap_has(imap, "NAMESPACE") && !imap_has(imap, "IMAP4rev2"))
		return 0;
	imap_allow(imap, IMAP_ORDINARY_OCTETS);
	if (imap_check(imap, mailimap_namespace(imap->session,
	    &imap->namespaces), MAILIMAP_NO_ERROR, "NAMESPACE", err) == 0 ||
	    !imap->broken)
		return 0;
	return -1;
}

static bool
begins_with(const char *name, const char *prefix)
{
	return prefix[0] != '\0' &&
	    strncasecmp(name, prefix, strlen(prefix)) == 0;
}

/* Is it in one of these already, as the server writes it? */
static bool
is_within(const char *name, struct mailimap_namespace_item *item)
{
	if (item == NULL)
		return false;
	for (clistiter *i = clist_begin(item->ns_data_list); i != NULL;
	    i = clist_next(i)) {
		struct mailimap_namespace_info *info = clist_content(i);

		if (begins_with(name, info->ns_prefix))
			return true;
	}
	return false;
}

static bool
is_placed(const char *name, const struct mailimap_namespace_data *all)
{
	return strcasecmp(name, "INBOX") == 0 ||
	    is_within(name, all->ns_personal) ||
	    is_within(name, all->ns_other) ||
	    is_within(name, all->ns_shared);
}

/* The first of the user's own; NULL: the server speaks of none. */
static struct mailimap_namespace_info *
own_namespace(const struct mailimap_namespace_data *all)
{
	if (all == NULL || all->ns_personal == NULL ||
	    clist_isempty(all->ns_personal->ns_data_list))
		return NULL;
	return clist_content(clist_begin(all->ns_personal->ns_data_list));
}

/* As the configuration has it, for the wire. */
static int
write_name(const struct imap *imap, const char *folder, struct buf *out,
    struct err *err)
{
	OWNED_BUF(name, MUTF7_MAX);
	struct mailimap_namespace_info *own = own_namespace(imap->namespaces);

	if (mutf7_encode(folder, &name, err) < 0)
		return -1;
	if (own != NULL) {
		/* In the base64 of modified UTF-7 there is no "/". */
		for (size_t i = 0; i < name.len && own->ns_delimiter != '\0';
		    i++)
			if (name.data[i] == '/')
				name.data[i] = (uint8_t)own->ns_delimiter;
		if (!is_placed(buf_str(&name), imap->namespaces))
			buf_append_str(out, own->ns_prefix);
	}
	buf_append_bytes(out, buf_bytes(&name));
	return out->failed ? err_set(err, ERR_FAULT,
	    "the folder's name is too long") : 0;
}

int
imap_select(struct imap *imap, const char *folder, uint32_t *uid_validity,
    struct err *err)
{
	OWNED_BUF(name, MUTF7_MAX);

	if (write_name(imap, folder, &name, err) < 0)
		return -1;
	imap_allow(imap, IMAP_ORDINARY_OCTETS);
	if (imap_check(imap, mailimap_select(imap->session, buf_str(&name)),
	    MAILIMAP_NO_ERROR, "SELECT", err) < 0)
		return -1;
	if (imap->session->imap_selection_info == NULL)
		return imap_give_up(imap, "SELECT", "no answer about the "
		    "folder", err);
	*uid_validity = imap->session->imap_selection_info->sel_uidvalidity;
	/* Without it, a UID names one message now and another later. */
	if (*uid_validity == 0)
		return imap_give_up(imap, "SELECT", "the server gives no "
		    "UIDVALIDITY", err);
	return 0;
}

/* --- filing ------------------------------------------------------------------------- */
static int
mark_deleted(struct imap *imap, struct mailimap_set *set, struct err *err)
{
	struct mailimap_flag_list *flags = mailimap_flag_list_new_empty();
	struct mailimap_store_att_flags *store;
	int result;

	if (flags == NULL || mailimap_flag_list_add(flags,
	    mailimap_flag_new_deleted()) != MAILIMAP_NO_ERROR ||
	    (store = mailimap_store_att_flags_new_add_flags_silent(flags)) ==
	    NULL) {
		if (flags != NULL)
			mailimap_flag_list_free(flags);
		return err_set(err, ERR_RETRY, "out of memory");
	}
	imap_allow(imap, IMAP_ORDINARY_OCTETS);
	result = mailimap_uid_store(imap->session, set, store);
	mailimap_store_att_flags_free(store);
	return imap_check(imap, result, MAILIMAP_NO_ERROR, "STORE", err);
}

/* --- servers without MOVE --------------------------------------------------- */
int
imap_search_deleted(struct imap *imap, clist **out, struct err *err)
{
	struct mailimap_search_key *key = mailimap_search_key_new(
	    MAILIMAP_SEARCH_KEY_DELETED, NULL, NULL, NULL, NULL, NULL, NULL,
	    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL,
	    NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL);
	clist *found = NULL;
	int result;

	if (key == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	imap_allow(imap, IMAP_ORDINARY_OCTETS + (size_t)IMAP_MAX_LISTED * 12);
	result = mailimap_uid_search(imap->session, NULL, key, &found);
	mailimap_search_key_free(key);
	if (imap_check(imap, result, MAILIMAP_NO_ERROR, "SEARCH", err) < 0) {
		if (result == MAILIMAP_NO_ERROR)
			mailimap_search_result_free(found);
		return -1;
	}
	*out = found;
	return 0;
}

bool
imap_search_has(clist *found, uint32_t uid)
{
	for (clistiter *i = clist_begin(found); i != NULL; i = clist_next(i))
		if (*(uint32_t *)clist_content(i) == uid)
			return true;
	return false;
}

/*
 * EXPUNGE takes all that is marked, also what others have marked and may want
 * back: so only while nothing but ours is. Else ours stay, marked, and are left
 * out of every list.
 */
static int
expunge_ours(struct imap *imap, const uint32_t *uids, size_t n,
    struct err *err)
{
	clist *marked;
	bool foreign = false;

	if (imap_search_deleted(imap, &marked, err) < 0)
		return -1;
	for (clistiter *i = clist_begin(marked); i != NULL && !foreign;
	    i = clist_next(i)) {
		uint32_t uid = *(uint32_t *)clist_content(i);
		size_t at = 0;

		while (at < n && uids[at] != uid)
			at++;
		foreign = at == n;
	}
	mailimap_search_result_free(marked);
	if (foreign)
		return 0;
	imap_allow(imap, IMAP_ORDINARY_OCTETS);
	return imap_check(imap, mailimap_expunge(imap->session),
	    MAILIMAP_NO_ERROR, "EXPUNGE", err);
}

static int
move_set(struct imap *imap, struct mailimap_set *set, const uint32_t *uids,
    size_t n, const char *folder, struct err *err)
{
	imap_allow(imap, IMAP_ORDINARY_OCTETS);
	if (imap->can_move)
		return imap_check(imap, mailimap_uid_move(imap->session, set,
		    folder), MAILIMAP_NO_ERROR, "MOVE", err);
	if (imap_check(imap, mailimap_uid_copy(imap->session, set, folder),
	    MAILIMAP_NO_ERROR, "COPY", err) < 0 ||
	    mark_deleted(imap, set, err) < 0)
		return -1;
	if (!imap->can_expunge)
		return expunge_ours(imap, uids, n, err);
	imap_allow(imap, IMAP_ORDINARY_OCTETS);
	return imap_check(imap, mailimap_uid_expunge(imap->session, set),
	    MAILIMAP_NO_ERROR, "EXPUNGE", err);
}

int
imap_move(struct imap *imap, const uint32_t *uids, size_t n,
    const char *folder, struct err *err)
{
	OWNED_BUF(name, MUTF7_MAX);
	struct mailimap_set *set;
	int r;

	if (write_name(imap, folder, &name, err) < 0)
		return -1;
	set = mailimap_set_new_empty();
	for (size_t i = 0; i < n && set != NULL; i++)
		mailimap_set_add_single(set, uids[i]);
	if (set == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	r = move_set(imap, set, uids, n, buf_str(&name), err);
	/* Most likely there is no such folder (TRYCREATE, RFC 9051, 7.1). If
	 * it was something else, creating fails or the second try does. */
	if (r < 0 && !imap->broken && err->kind == ERR_RETRY) {
		struct err ignored;

		imap_allow(imap, IMAP_ORDINARY_OCTETS);
		if (imap_check(imap, mailimap_create(imap->session,
		    buf_str(&name)), MAILIMAP_NO_ERROR, "CREATE",
		    &ignored) == 0)
			r = move_set(imap, set, uids, n, buf_str(&name), err);
	}
	mailimap_set_free(set);
	return r;
}
