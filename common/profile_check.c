#include "common/profile_private.h"

#include "common/err.h"
#include "common/names_table.h"

#include <openssl/objects.h>

#include <stdlib.h>
#include <string.h>

#define HOUR_S	3600
#define DAY_S	86400

/*
 * What a key of that kind can do at all: EC keys do not encipher (RFC 8813,
 * 3), Edwards keys only sign (RFC 9295, 3), RSA keys do not agree.
 */
uint32_t
profile_key_usage(const struct profile *p, enum key_kind kind)
{
	uint32_t agree = KU_KEY_AGREEMENT | KU_ENCIPHER_ONLY |
	    KU_DECIPHER_ONLY;
	uint32_t encipher = KU_KEY_ENCIPHERMENT | KU_DATA_ENCIPHERMENT;

	switch (kind) {
	case KEY_RSA:
		return p->key_usage & ~agree;
	case KEY_P256:
	case KEY_P384:
	case KEY_P521:
		return p->key_usage & ~encipher;
	case KEY_ED25519:
	case KEY_ED448:
		return p->key_usage & ~(encipher | agree);
	}
	return 0;
}

/* --- the subject that the profile makes ------------------------------- */

bool
profile_next_entry(const char **template, struct template_entry *out)
{
	const char *line = *template, *equals;
	size_t len = strcspn(line, "\n");
	char type[64];

	if (len == 0)
		return false;
	equals = memchr(line, '=', len);
	out->nid = NID_undef;
	out->text = (struct bytes){ NULL, 0 };
	if (equals != NULL && (size_t)(equals - line) < sizeof(type)) {
		snprintf(type, sizeof(type), "%.*s", (int)(equals - line),
		    line);
		if (attribute_form_of(OBJ_sn2nid(type)) != NULL)
			out->nid = OBJ_sn2nid(type);
		out->text = (struct bytes){ (const uint8_t *)equals + 1,
			len - (size_t)(equals + 1 - line) };
	}
	*template = line + len + (line[len] == '\n');
	return true;
}

static size_t
find_octet(struct bytes in, uint8_t octet)
{
	const uint8_t *at = in.len == 0 ? NULL :
	    memchr(in.data, octet, in.len);

	return at == NULL ? in.len : (size_t)(at - in.data);
}

int
profile_next_piece(struct bytes *text, struct bytes *piece)
{
	size_t open = find_octet(*text, '{'), close = find_octet(*text, '}');

	if (text->len == 0)
		return 0;
	if (open > 0) {
		if (close < open)
			return -1;
		*piece = bytes_slice(*text, 0, open);
		*text = bytes_slice(*text, open, text->len);
		return 1;
	}
	*piece = bytes_slice(*text, 1, close - 1);
	if (close == text->len || find_octet(*piece, '{') != piece->len)
		return -1;
	*text = bytes_slice(*text, close + 1, text->len);
	return 2;
}

/* What stands for {NAME}; NULL: the request has none. */
static const char *
value_of(const struct names *asked, struct bytes name)
{
	if (bytes_equal(name, bytes_of("SAN")))
		return asked->n_sans == 0 ? NULL : asked->sans[0].text;
	for (size_t i = 0; i < asked->n_attributes; i++)
		if (bytes_equal(name,
		    bytes_of(OBJ_nid2sn(asked->attributes[i].nid))))
			return asked->attributes[i].text;
	return NULL;
}

static int
add_entry(const struct names *asked, const struct template_entry *entry,
    struct names *out, struct err *err)
{
	struct bytes left = entry->text, piece;
	OWNED_BUF(text, NAME_TEXT_MAX + 1);
	int kind;

	while ((kind = profile_next_piece(&left, &piece)) > 0) {
		const char *value;

		if (kind == 1) {
			buf_append_bytes(&text, piece);
			continue;
		}
		value = value_of(asked, piece);
		if (value == NULL)
			return 0;
		buf_append_str(&text, value);
	}
	/* The longest that fits is one octet too long: refused by length. */
	return names_add_attribute(out, entry->nid, buf_bytes(&text), err);
}

/* An attribute that the profile does not have is refused, also where a
 * template would pass it over: a wish that is not met is told. */
static int
check_attributes(const struct profile *p, const struct names *names,
    struct err *err)
{
	for (size_t i = 0; i < names->n_attributes; i++) {
		const char *sn = OBJ_nid2sn(names->attributes[i].nid);

		if (!profile_has_word(p->subject, sn))
			return err_set(err, ERR_REJECT, "the subject's %s "
			    "\"%.80s\": the profile \"%s\" has no such "
			    "attribute; leave it out", sn,
			    names->attributes[i].text, p->name);
	}
	return 0;
}

int
profile_make_names(const struct profile *p, const struct names *asked,
    struct names *out, struct err *err)
{
	__attribute__((cleanup(names_free))) struct names made = { 0 };
	const char *at = p->subject_template;
	struct template_entry entry;

	if (check_attributes(p, asked, err) == -1)
		return -1;
	if (names_copy(asked, &made, err) == -1)
		return -1;
	if (at != NULL) {
		free(made.attributes);
		made.attributes = NULL;
		made.n_attributes = 0;
		while (profile_next_entry(&at, &entry))
			if (add_entry(asked, &entry, &made, err) == -1)
				return -1;
	}
	*out = made;
	made = (struct names){ 0 };
	return 0;
}

/* --- a request held against the profile ------------------------------- */

static int
check_sans(const struct profile *p, const struct names *names, struct err *err)
{
	uint32_t missing = p->sans_required;

	for (size_t i = 0; i < names->n_sans; i++) {
		const struct san *san = &names->sans[i];

		missing &= ~PROFILE_SAN_BIT(san->kind);
		if ((p->sans & PROFILE_SAN_BIT(san->kind)) == 0)
			return err_set(err, ERR_REJECT, "%s:%.100s: the "
			    "profile \"%s\" has no names of this form; leave "
			    "it out", san_kind_name(san->kind), san->text,
			    p->name);
		if (san->kind == SAN_DNS && !p->wildcard &&
		    strncmp(san->text, "*.", 2) == 0)
			return err_set(err, ERR_REJECT, "DNS:%.100s: the "
			    "profile \"%s\" has no wildcards; name the hosts",
			    san->text, p->name);
	}
	if (p->san_required && names->n_sans == 0)
		return err_set(err, ERR_REJECT, "the request has no "
		    "subjectAltName, which the profile \"%s\" needs; name "
		    "there what the certificate is for", p->name);
	for (enum san_kind k = SAN_DNS; k <= SAN_SMTP_UTF8; k++)
		if ((missing & PROFILE_SAN_BIT(k)) != 0)
			return err_set(err, ERR_REJECT, "the request has no "
			    "subjectAltName of the form %s, which the profile "
			    "\"%s\" needs; add one", san_kind_name(k),
			    p->name);
	return 0;
}

static int
check_required(const struct profile *p, const struct names *names,
    struct err *err)
{
	for (const char *at = p->subject_required; *at != '\0';) {
		size_t n = strcspn(at, ",");
		bool found = false;

		for (size_t i = 0; i < names->n_attributes && !found; i++) {
			const char *sn = OBJ_nid2sn(names->attributes[i].nid);

			found = strlen(sn) == n && memcmp(sn, at, n) == 0;
		}
		if (!found)
			return err_set(err, ERR_REJECT, "the subject has no "
			    "%.*s, which the profile \"%s\" needs; add it",
			    (int)n, at, p->name);
		at += n + (at[n] == ',');
	}
	return 0;
}

/* Browsers look at the SANs; a common name that is none of them would be
 * certified without having been looked at. */
static int
check_server_name(const struct profile *p, const struct names *names,
    struct err *err)
{
	if (!profile_has_word(p->eku, "serverAuth"))
		return 0;
	for (size_t i = 0; i < names->n_attributes; i++) {
		const char *cn = names->attributes[i].text;
		bool found = names->attributes[i].nid != NID_commonName;

		for (size_t k = 0; k < names->n_sans && !found; k++)
			found = (names->sans[k].kind == SAN_DNS ||
			    names->sans[k].kind == SAN_IP) &&
			    strcasecmp(names->sans[k].text, cn) == 0;
		if (!found)
			return err_set(err, ERR_REJECT, "the common name "
			    "\"%.100s\" is none of the subjectAltNames; add it "
			    "there, or leave it out", cn);
	}
	return 0;
}

int
profile_check(const struct profile *p, const struct names *names,
    const struct key_facts *key, struct err *err)
{
	if ((p->keys & 1u << key->kind) == 0)
		return err_set(err, ERR_REJECT, "the profile \"%s\" does not "
		    "take %s keys; make another key and send a new request",
		    p->name, key_kind_name(key->kind));
	if (key->kind == KEY_RSA && key->bits < p->min_rsa_bits)
		return err_set(err, ERR_REJECT, "the RSA key has %u bits; the "
		    "profile \"%s\" needs %u or more; make a new key and send "
		    "a new request", key->bits, p->name, p->min_rsa_bits);
	if (check_attributes(p, names, err) == -1 ||
	    check_required(p, names, err) == -1 ||
	    check_sans(p, names, err) == -1 ||
	    check_server_name(p, names, err) == -1)
		return -1;
	if (names->n_attributes == 0 && (names->n_sans == 0 || p->ca))
		return err_set(err, ERR_REJECT, "the request names nobody: "
		    "it has neither a subject nor a subjectAltName");
	return 0;
}

int
profile_check_request(const struct profile *p, const struct names *asked,
    const struct key_facts *key, struct err *err)
{
	__attribute__((cleanup(names_free))) struct names made = { 0 };

	if (profile_make_names(p, asked, &made, err) == -1)
		return -1;
	return profile_check(p, &made, key, err);
}

const struct profile *
profile_ocsp_responder(void)
{
	static const struct profile responder = {
		.name = "ocsp-responder",
		.key_usage = KU_DIGITAL_SIGNATURE,
		.eku = "OCSPSigning",
		.subject = "CN,C,O,OU,L,ST,DC",
		/* 14 days with the hour that it is backdated. */
		.validity_s = 14 * DAY_S - HOUR_S,
		.max_validity_s = 14 * DAY_S - HOUR_S,
		.backdate_s = HOUR_S,
		.keys = PROFILE_ALL_KEYS,
		.min_rsa_bits = 2048,
		.same_key = true,
		.path_len = -1,
		.ocsp_responder = true,
	};

	return &responder;
}
