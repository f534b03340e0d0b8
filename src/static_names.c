/*
 * Name services of a static program with glibc.
 *
 * By default it loads the modules that /etc/nsswitch.conf names, such as libnss_systemd.so.2. They need the same build of
 * glibc as the program; with another one it crashes as soon as it looks up a host, or the home of a user without HOME.
 * `files` and `dns` are part of the program since glibc 2.34.
 */
#include <nss.h>

__attribute__((constructor)) static void use_linked_name_services(void) {
    __nss_configure_lookup("hosts", "files dns");
    __nss_configure_lookup("passwd", "files");
    __nss_configure_lookup("group", "files");
    __nss_configure_lookup("services", "files");
}
