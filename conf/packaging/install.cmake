# SPDX-License-Identifier: LGPL-2.1-or-later
# What goes where, and the packages made of it.
set(GUESTD_LIB_DIR lib CACHE STRING "Where systemd looks: lib on a merged /usr")

install(TARGETS guestd RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})
install(TARGETS guestctl RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(PROGRAMS conf/packaging/take-over DESTINATION lib/guestd)
# What stops after guestd is ordered like it.
file(STRINGS systemd/guestd.service order REGEX "^(After|Requires|Wants)=")
list(FILTER order EXCLUDE REGEX "guestd-finish")
list(JOIN order "\n" GUESTD_ORDER)
configure_file(systemd/guestd-finish.service.in guestd-finish.service @ONLY)
install(FILES systemd/guestd.service systemd/guestd-autostart.service
        ${CMAKE_CURRENT_BINARY_DIR}/guestd-finish.service
        DESTINATION ${GUESTD_LIB_DIR}/systemd/system)
install(FILES systemd/guestd.catalog DESTINATION ${GUESTD_LIB_DIR}/systemd/catalog)
install(FILES conf/dbus/org.guestd1.conf DESTINATION share/dbus-1/system.d)
install(FILES conf/guestd.toml DESTINATION /etc/guestd)
install(DIRECTORY DESTINATION /etc/guestd/guestd.toml.d)
install(FILES conf/guestd.sysconfig DESTINATION /etc/default RENAME guestd)
install(FILES README.md docs/NEWS.md DESTINATION share/doc/guestd)
install(FILES docs/org.guestd1.xml DESTINATION share/dbus-1/interfaces)

set(CPACK_PACKAGE_NAME guestd)
set(CPACK_PACKAGE_VENDOR "guestd")
set(CPACK_PACKAGE_CONTACT "The guestd developers <guestd@localhost>")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY
    "brings KVM/libvirt guests back at host boot and stops them at host shutdown")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_SET_DESTDIR ON)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "default-dbus-system-bus | dbus-system-bus, systemd")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "libvirt-daemon-system")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(packaging ${CMAKE_CURRENT_LIST_DIR})
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${packaging}/postinst ${packaging}/prerm
    ${packaging}/postrm ${packaging}/conffiles)

set(CPACK_RPM_FILE_NAME RPM-DEFAULT)
set(CPACK_RPM_PACKAGE_LICENSE "LGPL-2.1-or-later")
set(CPACK_RPM_PACKAGE_REQUIRES "systemd, dbus")
set(CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION /etc /etc/default /usr/lib/systemd
    /usr/lib/systemd/system /usr/lib/systemd/catalog /usr/share/dbus-1
    /usr/share/dbus-1/system.d /usr/share/dbus-1/interfaces)
set(CPACK_RPM_USER_FILELIST "%config(noreplace) /etc/guestd/guestd.toml"
    "%config(noreplace) /etc/default/guestd")
set(CPACK_RPM_POST_INSTALL_SCRIPT_FILE ${packaging}/rpm-post)
set(CPACK_RPM_PRE_UNINSTALL_SCRIPT_FILE ${packaging}/rpm-preun)
include(CPack)
