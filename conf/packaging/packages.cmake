# SPDX-License-Identifier: LGPL-2.1-or-later
# The .deb and the .rpm.
set(packaging ${CMAKE_CURRENT_LIST_DIR})

set(CPACK_PACKAGE_NAME guestd)
set(CPACK_PACKAGE_VENDOR "guestd")
set(CPACK_PACKAGE_CONTACT "The guestd developers <guestd@guestd.org>")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "boot and shutdown of KVM/libvirt guests")
set(CPACK_PACKAGE_DESCRIPTION
    "guestd looks after the guests of a libvirt host when it goes down and when
it comes up: it stops every running guest in its time and order, against a
hard deadline, and brings it back after the boot, as many at a time as the
host can take. It replaces libvirt-guests.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "default-dbus-system-bus | dbus-system-bus, systemd")
# Without polkit only root may command; without virt-admin libvirt's workers stay as they are.
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "libvirt-daemon-system, libvirt-clients, polkitd")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${packaging}/postinst ${packaging}/prerm
    ${packaging}/postrm ${packaging}/conffiles)

set(CPACK_RPM_FILE_NAME RPM-DEFAULT)
set(CPACK_RPM_PACKAGE_LICENSE "LGPL-2.1-or-later")
set(CPACK_RPM_PACKAGE_GROUP "System Environment/Daemons")
set(CPACK_RPM_PACKAGE_DESCRIPTION "${CPACK_PACKAGE_DESCRIPTION}")
set(CPACK_PACKAGE_RELOCATABLE OFF)
set(CPACK_RPM_PACKAGE_REQUIRES "systemd, dbus")
set(CPACK_RPM_SPEC_MORE_DEFINE "Recommends: libvirt-daemon\nRecommends: libvirt-client\nRecommends: polkit")
# Folders of other packages; /usr/sbin is a link to bin where the two are merged.
set(CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION /etc /etc/default /etc/sysconfig
    /usr/sbin
    /usr/lib/systemd /usr/lib/systemd/system /usr/lib/systemd/user /usr/lib/systemd/catalog
    /usr/lib/systemd/system-generators
    /usr/share/dbus-1 /usr/share/dbus-1/system.d /usr/share/dbus-1/system-services
    /usr/share/dbus-1/interfaces /usr/share/polkit-1 /usr/share/polkit-1/actions
    /usr/share/man /usr/share/man/man1 /usr/share/man/man5 /usr/share/man/man8
    /usr/share/bash-completion /usr/share/bash-completion/completions
    /usr/share/zsh /usr/share/zsh/vendor-completions
    /usr/share/fish /usr/share/fish/vendor_completions.d)
set(CPACK_RPM_USER_FILELIST "%config(noreplace) /etc/guestd/guestd.toml"
    "%config(noreplace) ${GUESTD_SYSCONFIG_DIR}/guestd")
set(CPACK_RPM_POST_INSTALL_SCRIPT_FILE ${packaging}/rpm-post)
set(CPACK_RPM_PRE_UNINSTALL_SCRIPT_FILE ${packaging}/rpm-preun)
set(CPACK_RPM_POST_UNINSTALL_SCRIPT_FILE ${packaging}/rpm-postun)
include(CPack)
