#include "csrmaild/bundle.h"
#include "csrmaild/ctl/ctl.h"
#include "csrmaild/ctl/template.h"
#include "csrmaild/settings.h"

#include "common/ca.h"
#include "common/err.h"
#include "common/issue.h"
#include "common/owned.h"
#include "common/store.h"

#include <sys/stat.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * --folder DIR: a CA in one folder, with no daemon and nothing below /etc, as
 * an offline root is.
 *
 *	DIR/store.db, keys/, journal/, published/	as in any state_dir
 *	DIR/folder.conf		sections ca "NAME", as in csrmaild.conf(5);
 *				optional, and so is each CA's
 *	DIR/policies/profiles/	the profiles; those that are shipped when it is
 *				not there
 *
 * All of it belongs to the one who calls. The first use makes the folder,
 * 0700; one that others may write to is refused.
 */
#define MAX_CONF_OCTETS	BUNDLE_MAX_FILE_OCTETS
#define PROFILES	"policies/profiles/"

/* Lists of a CA without a daemon are carried by hand: half a year, and a new
 * one is due at half of that. folder.conf may say otherwise. */
#define CA_SECTION	"\nca \"%s\" {\n\tcrl_validity_s = 15552000\n"	\
			"\tcrl_interval_s = 7776000\n}\n"

static int
make(struct ctl *ctl, const char *path, mode_t mode, struct err *err)
{
	if (mkdir(path, mode) == 0 || errno == EEXIST)
		return 0;
	return ctl_fail(ctl, EX_CANTCREAT, err, "%s: %s", path,
	    strerror(errno));
}

static int
make_folders(struct ctl *ctl, char *path, struct err *err)
{
	static const struct {
		const char	*name;
		mode_t		 mode;
	} below[] = {
		{ "keys", 0700 }, { "journal", 0700 }, { "published", 0755 },
	};
	struct stat st;

	if (make(ctl, ctl->folder, 0700, err) != 0)
		return -1;
	if (realpath(ctl->folder, path) == NULL || stat(path, &st) != 0)
		return ctl_fail(ctl, EX_CONFIG, err, "%s: %s", ctl->folder,
		    strerror(errno));
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & 022) != 0)
		return ctl_fail(ctl, EX_CONFIG, err, "%s must be a folder of "
		    "yours that nobody else may write to", ctl->folder);
	/* It is going to stand in a configuration, between quotes. */
	if (strpbrk(path, "\"\\$\n\t") != NULL)
		return ctl_fail(ctl, EX_CONFIG, err, "%s: quotes, dollars, "
		    "backslashes and the like cannot stand in its name",
		    ctl->folder);
	for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); i++) {
		OWNED_BUF(sub, PATH_MAX + 16);

		buf_printf(&sub, "%s/%s", path, below[i].name);
		if (make(ctl, buf_str(&sub), below[i].mode, err) != 0)
			return -1;
	}
	return 0;
}

/* --- what settings_read would read --------------------------------------- */
static int
add_profiles(struct buf *bundle, const char *dir, struct err *err)
{
	OWNED_BUF(path, PATH_MAX + 32);
	char name[PROFILE_NAME_MAX + 1];

	buf_printf(&path, "%s/policies", dir);
	if (access(buf_str(&path), F_OK) == 0)
		return bundle_add_folder(bundle, BUNDLE_PROFILE,
		    buf_str(&path), "profiles", err);
	for (const struct template_file *f = template_files; f->path != NULL;
	    f++) {
		const char *file = f->path + strlen(PROFILES);

		if (strncmp(f->path, PROFILES, strlen(PROFILES)) != 0)
			continue;
		snprintf(name, sizeof(name), "%.*s",
		    (int)(strlen(file) - strlen(".conf")), file);
		if (bundle_add_text(bundle, BUNDLE_PROFILE, name, f->path,
		    (struct bytes){ f->data, f->len }, err) != 0)
			return -1;
	}
	return 0;
}

static int
decode(const char *dir, const char *conf_path, struct bytes conf,
    struct settings **out, struct err *err)
{
	OWNED_BUF(bundle, BUNDLE_MAX_OCTETS);
	int fd;

	if (bundle_add_text(&bundle, BUNDLE_CONF, "", conf_path, conf,
	    err) != 0 || add_profiles(&bundle, dir, err) != 0)
		return -1;
	fd = bundle_to_fd(buf_bytes(&bundle), err);
	return fd < 0 ? -1 : settings_decode(fd, out, err);
}

struct sections {
	const char	*dir;
	struct buf	*conf;
	const struct settings *written;	/* what folder.conf itself has */
	char		 last[CA_NAME_MAX + 1];
};

/* By name, so that the generations of a family follow each other. */
static int
add_section(const struct ca_row *row, void *arg)
{
	struct sections *in = arg;
	char family[CA_NAME_MAX + 1], file[CA_NAME_MAX + 8];
	OWNED_BUF(key, PATH_MAX + 128);

	ca_family(row->name, family, sizeof(family));
	ca_file_name(row->name, ".key", file, sizeof(file));
	buf_printf(&key, "%s/keys/%s", in->dir, file);
	/* Known, and signing elsewhere. */
	if (access(buf_str(&key), F_OK) != 0)
		return 0;
	if (settings_ca(in->written, family) == NULL &&
	    strcmp(family, in->last) != 0)
		buf_printf(in->conf, CA_SECTION, family);
	snprintf(in->last, sizeof(in->last), "%s", family);
	return 0;
}

static int
add_sections(const char *dir, const struct settings *written,
    struct buf *conf, struct err *err)
{
	OWNED_STRUCT(store) *store = NULL;
	OWNED_BUF(path, PATH_MAX + 16);
	struct sections in = { dir, conf, written, "" };

	buf_printf(&path, "%s/store.db", dir);
	/* Nobody but us would make it, or bring an older one up to date. */
	if (store_open(buf_str(&path), STORE_READ_WRITE, &store, err) != 0)
		return -1;
	return store_each_ca(store, add_section, &in, err);
}

/* folder.conf, if there is one, and behind it what it cannot change: lines
 * keep the numbers that they have in the file. */
static int
read_conf(struct ctl *ctl, const char *dir, const char *path,
    struct buf *conf, struct err *err)
{
	if (access(path, F_OK) == 0 &&
	    ctl_read_file(ctl, path, conf, err) != 0)
		return -1;
	buf_printf(conf, "\nstate_dir = \"%s\"\nrun_dir = \"/\"\n"
	    "policies_dir = \"%s/policies\"\nunprivileged = true\n", dir, dir);
	return conf->failed ? ctl_fail(ctl, EX_CONFIG, err, "%s is too long",
	    path) : 0;
}

static int
read_folder(struct ctl *ctl, struct err *err)
{
	OWNED_STRUCT(settings) *written = NULL;
	OWNED_BUF(path, PATH_MAX + 16);
	OWNED_BUF(conf, MAX_CONF_OCTETS);
	char dir[PATH_MAX];

	if (make_folders(ctl, dir, err) != 0)
		return -1;
	buf_printf(&path, "%s/folder.conf", dir);
	if (read_conf(ctl, dir, buf_str(&path), &conf, err) != 0 ||
	    decode(dir, buf_str(&path), buf_bytes(&conf), &written, err) != 0 ||
	    add_sections(dir, written, &conf, err) != 0)
		return -1;
	return decode(dir, buf_str(&path), buf_bytes(&conf), &ctl->settings,
	    err);
}

int
ctl_need_settings(struct ctl *ctl, struct err *err)
{
	if (ctl->settings != NULL)
		return 0;
	if ((ctl->folder != NULL ? read_folder(ctl, err) == 0 :
	    settings_read(ctl->conf, &ctl->settings, err) == 0) &&
	    settings_use_token(ctl->settings, err) == 0)
		return 0;
	if (ctl->exit_code == 0)
		ctl->exit_code = EX_CONFIG;
	return -1;
}
