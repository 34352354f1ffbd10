//! The allocator of the VM: what is freed is kept by its size, and handed out again.
//!
//! Requests ask for the same few sizes again and again: a chain of six for some thirty blocks. The standard library's
//! allocator looks for the best place for each of them, through code that is in no cache when a request comes. Here a
//! block is taken off a list and put back on it.
//!
//! The sizes are powers of two, and the lists are short: blocks on a list are not joined, so whoever can have a VM keep
//! first blocks of one size and then of another would have it grow. What is large, and what a list has no room for, is the
//! standard library's.

#![expect(unsafe_code, reason = "an allocator hands out raw memory")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr::{copy_nonoverlapping, null_mut};

use super::{SMALLEST, kept_size};

/// How many sizes have a list: 16 bytes, 32, 64, and so on. A request that asks the standard library for one block of thirty
/// costs no less than one that asks for all.
const SIZES: usize = 10;

/// What every block is aligned to: some of the states of hashes have numbers of 16 bytes.
const ALIGN: usize = 16;

/// How many bytes of blocks a list has at the most: for what some hundred streams need that come and go together.
const MOST: usize = 32 * 1024;

/// The blocks that were freed, by size.
struct Memory {
    lists: [List; SIZES],
}

/// Blocks of one size. Each of them begins with where the next one is.
struct List {
    first: Cell<*mut u8>,
    /// How many bytes its blocks are together.
    bytes: Cell<usize>,
}

#[cfg(target_os = "wasi")]
#[global_allocator]
static MEMORY: Memory = Memory::new();

// SAFETY: a VM has one thread.
#[cfg(target_os = "wasi")]
unsafe impl Sync for Memory {}

// Each of these is a function of its own and no part of whoever allocates: it is in a cache because somebody else has just
// allocated.
//
// SAFETY: a block has one owner or is on one list. It leaves the list when it is handed out, and comes back when its owner
// frees it with the layout that it was handed out for, which names the same list. It is as large as the blocks of that
// list, and was made by the standard library with the layout to which it goes back there.
unsafe impl GlobalAlloc for Memory {
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some((list, size)) = self.list(layout) else {
            // SAFETY: the same layout, about which the caller has promised the same.
            return unsafe { System.alloc(layout) };
        };
        let block = list.first.get();
        if block.is_null() {
            // SAFETY: the size isn't zero.
            return unsafe { System.alloc(of_list(size)) };
        }
        // SAFETY: a block on a list begins with where the next one is.
        list.first.set(unsafe { block.cast::<*mut u8>().read() });
        list.bytes.set(list.bytes.get().wrapping_sub(size));
        block
    }

    #[inline(never)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match self.list(layout) {
            Some((list, size)) if list.bytes.get() < MOST => {
                // SAFETY: nobody owns the block any more. It is large enough for an address, and aligned for one.
                unsafe { block.cast::<*mut u8>().write(list.first.get()) };
                list.first.set(block);
                list.bytes.set(list.bytes.get().wrapping_add(size));
            }
            // SAFETY: it was made with this layout, and nobody owns it any more.
            Some((_, size)) => unsafe { System.dealloc(block, of_list(size)) },
            // SAFETY: a block without a list is of the standard library.
            None => unsafe { System.dealloc(block, layout) },
        }
    }

    #[inline(never)]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller has promised that there can be a layout of this size.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (self.list(layout), self.list(wanted)) {
            (Some((_, has)), Some((_, wants))) if has == wants => return block,
            // SAFETY: as in `dealloc`, and so it stays.
            (None, None) => return unsafe { System.realloc(block, layout, size) },
            (Some(_), _) | (_, Some(_)) => {}
        }
        // SAFETY: the caller has promised that the size isn't zero.
        let moved = unsafe { self.alloc(wanted) };
        if !moved.is_null() {
            // SAFETY: these are two blocks, both as large as the smaller one, and the old one is given up.
            unsafe {
                copy_nonoverlapping(block, moved, layout.size().min(size));
                self.dealloc(block, layout);
            }
        }
        moved
    }
}

impl Memory {
    const fn new() -> Self {
        Self { lists: [const { List { first: Cell::new(null_mut()), bytes: Cell::new(0) } }; SIZES] }
    }

    /// Returns the list for a layout, and the size of its blocks; none if the standard library is asked.
    fn list(&self, layout: Layout) -> Option<(&List, usize)> {
        if ALIGN < layout.align() {
            return None;
        }
        let size = kept_size(layout.size())?;
        let index = size.trailing_zeros().checked_sub(SMALLEST.trailing_zeros())?;
        Some((self.lists.get(usize::try_from(index).ok()?)?, size))
    }
}

/// Returns the layout with which the standard library makes the blocks of a list.
const fn of_list(size: usize) -> Layout {
    // SAFETY: size and alignment are powers of two.
    unsafe { Layout::from_size_align_unchecked(size, ALIGN) }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it would fail")]
mod tests;
