"""Pages about clusters that are watched: what runs, what cannot be pulled, what is not protected. Begin in
``running_images.py``."""
