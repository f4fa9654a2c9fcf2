//! The smallest media that boot, made of single bytes: each writes a text to the first serial port and halts.

const SECTOR: usize = 2048;

/// Writes what follows it to COM1, up to a zero, and halts: 16-bit code for wherever it is loaded.
const BIOS_CODE: &[u8] = &[
    0xE8, 0, 0,    // call the next instruction
    0x5E, // pop si
    0x83, 0xC6, 0x14, // add si, 20: the text
    0x0E, 0x1F, // push cs, pop ds
    0xBA, 0xF8, 0x03, // mov dx, 0x3F8
    0xAC, // lodsb
    0x84, 0xC0, 0x74, 0x03, // test al, al; jz
    0xEE, // out dx, al
    0xEB, 0xF8, // jmp to lodsb
    0xF4, 0xEB, 0xFD, // hlt, again
];

/// The same in 64-bit code.
const UEFI_CODE: &[u8] = &[
    0x48, 0x8D, 0x35, 0x0F, 0, 0, 0, // lea rsi, [rip + 15]: the text
    0x66, 0xBA, 0xF8, 0x03, // mov dx, 0x3F8
    0xAC, // lodsb
    0x84, 0xC0, 0x74, 0x03, // test al, al; jz
    0xEE, // out dx, al
    0xEB, 0xF8, // jmp to lodsb
    0xF4, 0xEB, 0xFD, // hlt, again
];

/// Switches a machine of QEMU's kind PC off (ACPI's PM1a control block, as SeaBIOS places it).
pub const BIOS_OFF: &[u8] = &[
    0xBA, 0x04, 0x06, // mov dx, 0x604
    0xB8, 0x00, 0x20, // mov ax, 0x2000
    0xEF, // out dx, ax
    0xF4, 0xEB, 0xFD, // hlt, again
];

fn put(image: &mut [u8], place: usize, bytes: &[u8]) {
    image[place..place + bytes.len()].copy_from_slice(bytes);
}

/// The code with its text.
pub fn writes(code: &[u8], text: &str) -> Vec<u8> {
    [code, text.as_bytes(), b"\0"].concat()
}

/// An image that a BIOS boots, which then runs this.
pub fn bios(code: &[u8]) -> Vec<u8> {
    iso(0, code)
}

/// An image that a BIOS boots and that writes this.
pub fn bios_writes(text: &str) -> Vec<u8> {
    bios(&writes(BIOS_CODE, text))
}

/// An image that UEFI boots and that writes this.
pub fn uefi_writes(text: &str) -> Vec<u8> {
    iso(0xEF, &fat(&program(&writes(UEFI_CODE, text))))
}

/// An ISO 9660 image of nothing but descriptors, a boot catalog and what is booted (El Torito, no emulation).
fn iso(platform: u8, boot: &[u8]) -> Vec<u8> {
    let mut image = vec![0; (20 + boot.len().div_ceil(SECTOR)) * SECTOR];
    let sectors = u32::try_from(image.len() / SECTOR).unwrap();
    put(&mut image, 16 * SECTOR, b"\x01CD001\x01");
    put(&mut image, 16 * SECTOR + 40, format!("{:32}", "GANDER-TEST").as_bytes());
    put(&mut image, 16 * SECTOR + 80, &sectors.to_le_bytes());
    put(&mut image, 17 * SECTOR, b"\0CD001\x01EL TORITO SPECIFICATION");
    put(&mut image, 17 * SECTOR + 71, &19u32.to_le_bytes());
    put(&mut image, 18 * SECTOR, b"\xffCD001\x01");
    let mut validation = [0; 32];
    put(&mut validation, 0, &[1, platform]);
    put(&mut validation, 30, &[0x55, 0xAA]);
    let sum =
        validation.chunks(2).fold(0u16, |sum, word| sum.wrapping_add(u16::from_le_bytes([word[0], word[1]])));
    put(&mut validation, 28, &sum.wrapping_neg().to_le_bytes());
    put(&mut image, 19 * SECTOR, &validation);
    let count = u16::try_from(boot.len().div_ceil(512)).unwrap();
    put(&mut image, 19 * SECTOR + 32, &[0x88, 0, 0, 0, 0, 0]);
    put(&mut image, 19 * SECTOR + 38, &count.to_le_bytes());
    put(&mut image, 19 * SECTOR + 40, &20u32.to_le_bytes());
    put(&mut image, 20 * SECTOR, boot);
    image
}

/// A FAT12 file system with this as EFI/BOOT/BOOTX64.EFI: 512 bytes a sector and cluster, one FAT of 9 sectors.
fn fat(program: &[u8]) -> Vec<u8> {
    const SECTORS: u16 = 2880;
    let cluster = |number: usize| (1 + 9 + 14 + number - 2) * 512;
    let mut image = vec![0; usize::from(SECTORS) * 512];
    put(&mut image, 0, b"\xEB\x3C\x90GANDER  ");
    put(&mut image, 11, &[0, 2, 1, 1, 0, 1, 224, 0]);
    put(&mut image, 19, &SECTORS.to_le_bytes());
    put(&mut image, 21, &[0xF8, 9, 0, 32, 0, 64, 0]);
    put(&mut image, 38, b"\x29GNDRGANDER     FAT12   ");
    put(&mut image, 510, &[0x55, 0xAA]);
    let entry = |name: &str, kind: u8, cluster: u8, size: usize| {
        let mut entry = [0; 32];
        put(&mut entry, 0, name.as_bytes());
        entry[11] = kind;
        entry[26] = cluster;
        put(&mut entry, 28, &u32::try_from(size).unwrap().to_le_bytes());
        entry
    };
    put(&mut image, 10 * 512, &entry("EFI        ", 0x10, 2, 0));
    put(&mut image, cluster(2), &entry(".          ", 0x10, 2, 0));
    put(&mut image, cluster(2) + 32, &entry("..         ", 0x10, 0, 0));
    put(&mut image, cluster(2) + 64, &entry("BOOT       ", 0x10, 3, 0));
    put(&mut image, cluster(3), &entry(".          ", 0x10, 3, 0));
    put(&mut image, cluster(3) + 32, &entry("..         ", 0x10, 2, 0));
    put(&mut image, cluster(3) + 64, &entry("BOOTX64 EFI", 0x20, 4, program.len()));
    put(&mut image, cluster(4), program);
    // Clusters 2 and 3 end a chain, 4 and on are one.
    let last = 4 + program.len().div_ceil(512) - 1;
    for number in 0..=last {
        let next = match number {
            0 => 0xFF8,
            1..=3 => 0xFFF,
            _ if number == last => 0xFFF,
            _ => number + 1,
        };
        let place = 512 + number * 3 / 2;
        let old = u16::from_le_bytes([image[place], image[place + 1]]);
        let next = u16::try_from(next).unwrap();
        let new = if number % 2 == 0 { old & 0xF000 | next } else { old & 0x000F | next << 4 };
        put(&mut image, place, &new.to_le_bytes());
    }
    image
}

/// A program for UEFI: a PE32+ file of one section.
fn program(code: &[u8]) -> Vec<u8> {
    let size = code.len().div_ceil(512) * 512;
    let mut file = vec![0; 512 + size];
    let size = u32::try_from(size).unwrap();
    put(&mut file, 0, b"MZ");
    put(&mut file, 60, &64u32.to_le_bytes());
    put(&mut file, 64, b"PE\0\0\x64\x86\x01\0");
    put(&mut file, 64 + 20, &[240, 0, 0x2E, 0x02]);
    let optional = 88;
    put(&mut file, optional, &[0x0B, 0x02]);
    let mut number = |offset: usize, number: u32| put(&mut file, optional + offset, &number.to_le_bytes());
    number(4, size); // of code
    number(16, 0x1000); // entry point
    number(20, 0x1000); // base of code
    number(32, 0x1000); // alignment in memory
    number(36, 512); // alignment in the file
    number(56, 0x1000 + size.next_multiple_of(0x1000)); // size in memory
    number(60, 512); // size of headers
    number(68, 10); // an EFI application
    number(108, 16); // data directories
    let section = optional + 240;
    put(&mut file, section, b".text");
    let mut number = |offset: usize, number: u32| put(&mut file, section + offset, &number.to_le_bytes());
    number(8, size);
    number(12, 0x1000);
    number(16, size);
    number(20, 512);
    number(36, 0x6000_0020);
    put(&mut file, 512, code);
    file
}
