//! Install trees, DVDs and live images: what boots, and the ISO around it.
